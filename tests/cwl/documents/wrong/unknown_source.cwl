cwlVersion: v1.2
class: Workflow
inputs: {a: string}
outputs: {b: {type: string, outputSource: c}}
steps: {}
