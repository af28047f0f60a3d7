cwlVersion: v1.2
class: Workflow
inputs: {a: strange}
outputs: {}
steps: {}
