cwlVersion: v1.2
class: Workflow
requirements: {StepInputExpressionRequirement: {}}
inputs: {any: Any}
outputs: {result: {type: string, outputSource: s/out}}
steps:
  s: {run: tools/fussy.cwl, in: {text: {source: any, valueFrom: $(self.text)}}, out: [out]}
