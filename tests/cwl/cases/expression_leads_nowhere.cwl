cwlVersion: v1.2
class: Workflow
requirements: {StepInputExpressionRequirement: {}}
inputs: {any: Any}
outputs: {result: {type: string, outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, in: {a: {source: any, valueFrom: "$(self.list[1].name)"}}, out: [out]}
