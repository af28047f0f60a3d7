cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}}
inputs:
  ships: {type: {type: array, items: {type: record, fields: {name: string, holds: "int[]"}}}}
  unit: string
outputs: {all: {type: "string[]", outputSource: each/out}}
steps:
  each:
    run: tools/join.cwl
    scatter: a
    in:
      a: {source: ships, valueFrom: $(self.name)}
      b: {valueFrom: "$(inputs.a.holds.length) holds of $(inputs.unit), first $(inputs.a['holds'][0])"}
      c: {valueFrom: $(inputs.a.holds)}
      unit: unit
    out: [out]
