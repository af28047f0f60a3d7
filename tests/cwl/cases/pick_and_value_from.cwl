cwlVersion: v1.2
class: Workflow
requirements: {StepInputExpressionRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {one: string, two: string}
outputs: {result: {type: string, outputSource: s/out}}
steps:
  a: {run: tools/maybe.cwl, in: {text: one}, out: [out]}
  b: {run: tools/maybe.cwl, in: {text: two}, out: [out]}
  s:
    run: tools/join.cwl
    in:
      a: {source: [a/out, b/out], pickValue: first_non_null, valueFrom: "first $(self)"}
      b: {source: [a/out, b/out], pickValue: all_non_null, valueFrom: "$(self.length)"}
    out: [out]
