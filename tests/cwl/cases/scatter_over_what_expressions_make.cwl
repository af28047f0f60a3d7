cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {texts: "string[]", record: {type: {type: record, fields: {more: "string[]"}}}}
outputs: {all: {type: "string[]", outputSource: s/out}}
steps:
  s:
    run: tools/join.cwl
    scatter: [a, b]
    scatterMethod: flat_crossproduct
    in:
      a: {source: texts, valueFrom: "$(self)-$(inputs.b)"}
      b: {source: texts, valueFrom: "$(inputs.a)$(inputs.record.more.length)"}
      record: record
    out: [out]
