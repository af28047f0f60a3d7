cwlVersion: v1.2
class: Workflow
inputs: {$import: nothing.yml}
outputs: {}
steps: {}
