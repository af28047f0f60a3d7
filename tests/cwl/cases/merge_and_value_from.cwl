cwlVersion: v1.2
class: Workflow
requirements: {StepInputExpressionRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {one: string, two: string}
outputs: {result: {type: string, outputSource: s/out}}
steps:
  s:
    run: tools/join.cwl
    in:
      a: {source: [one, two], valueFrom: "$(self[1]) of $(self.length)"}
      b: {source: [two, one], valueFrom: $(self)}
    out: [out]
