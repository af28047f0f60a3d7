cwlVersion: v1.2
class: Workflow
inputs: {}
outputs: {result: {type: string, outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, in: {}, out: [out]}
