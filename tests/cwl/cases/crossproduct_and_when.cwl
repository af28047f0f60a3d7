cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {left: "string[]", flags: "boolean[]"}
outputs:
  all: {type: {type: array, items: {type: array, items: ["null", string]}}, outputSource: s/out}
steps:
  s:
    run: tools/join.cwl
    scatter: [a, go]
    scatterMethod: nested_crossproduct
    when: $(inputs.go)
    in: {a: left, go: flags}
    out: [out]
