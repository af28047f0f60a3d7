cwlVersion: v1.2
class: Workflow
inputs: {list: "string[]"}
outputs: {result: {type: "string?", outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, when: $(inputs.a.length), in: {a: list}, out: [out]}
