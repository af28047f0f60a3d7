cwlVersion: v1.2
class: Workflow
requirements: {StepInputExpressionRequirement: {}}
inputs: {text: string, facts: {type: {type: record, fields: {go: boolean}}}}
outputs: {result: {type: "string?", outputSource: s/out}}
steps:
  s:
    run: tools/fussy.cwl
    when: $(inputs.go)
    in: {text: {source: text, valueFrom: "<$(self)>"}, go: {source: facts, valueFrom: $(self.go)}}
    out: [out]
