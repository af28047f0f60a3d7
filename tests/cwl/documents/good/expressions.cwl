cwlVersion: v1.2
class: Workflow
requirements:
  InlineJavascriptRequirement: {expressionLib: ["function twice(x) { return 2 * x; }"]}
  StepInputExpressionRequirement: {}
  MultipleInputFeatureRequirement: {}
inputs: {words: "string[]", count: int, go: "boolean?", note: {type: "string?", default: none}}
outputs:
  word: {type: "string?", outputSource: pick/word}
  first: {type: string, outputSource: [pick/word, note], pickValue: first_non_null}
  all: {type: "string[]", outputSource: [pick/word, note], linkMerge: merge_flattened, pickValue: all_non_null}
steps:
  pick:
    when: $(inputs.go === true)
    in:
      words: {source: words, valueFrom: "${ return self.concat([inputs.note]); }"}
      at: {source: count, valueFrom: $(twice(self) % inputs.words.length)}
      go: go
      note: note
      extra: {valueFrom: "$(inputs.note) is the note"}
    out: [word]
    run: tools/pick.cwl
