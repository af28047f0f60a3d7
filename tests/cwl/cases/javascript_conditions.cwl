cwlVersion: v1.2
class: Workflow
requirements:
  InlineJavascriptRequirement: {}
  MultipleInputFeatureRequirement: {}
  ScatterFeatureRequirement: {}
  StepInputExpressionRequirement: {}
inputs: {temperature: double, texts: "string[]"}
outputs:
  done: {type: string, outputSource: [warm/out, cold/out], pickValue: the_only_non_null}
  long: {type: "string[]", outputSource: long/out, pickValue: all_non_null}
steps:
  warm:
    run: tools/fussy.cwl
    when: $(inputs.temperature > 30)
    in: {temperature: temperature, text: {default: warm}}
    out: [out]
  cold:
    run: tools/fussy.cwl
    when: "${ return !(inputs.temperature > 30); }"
    in: {temperature: temperature, text: {default: cold}}
    out: [out]
  long:
    run: tools/fussy.cwl
    scatter: text
    when: $(inputs.text.length > 3 && inputs.other != inputs.text)
    in:
      text: {source: texts, valueFrom: $(self.trim())}
      other: {default: other}
    out: [out]
