cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {texts: "string[]", flags: "boolean[]"}
outputs:
  all: {type: {type: array, items: [string, "null"]}, outputSource: each/out}
  some: {type: "string[]", outputSource: each/out, pickValue: all_non_null}
steps:
  each:
    run: tools/fussy.cwl
    scatter: [text, go]
    scatterMethod: dotproduct
    when: $(inputs.go)
    in: {text: texts, go: flags}
    out: [out]
