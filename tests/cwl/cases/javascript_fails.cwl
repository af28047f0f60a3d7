cwlVersion: v1.2
class: Workflow
requirements: {InlineJavascriptRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {any: Any}
outputs: {out: {type: "string?", outputSource: one/out}}
steps:
  one:
    run: tools/fussy.cwl
    when: $(inputs.any.when)
    in: {any: any, text: {source: any, valueFrom: "$(self.a.b.toString())"}}
    out: [out]
