cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {lists: {type: {type: array, items: {type: array, items: string}}}, go: boolean}
outputs:
  all: {type: {type: array, items: ["null", {type: array, items: string}]}, outputSource: outer/all}
steps:
  outer:
    scatter: list
    when: $(inputs.go)
    in: {list: lists, go: go, tail: {default: of the step}}
    out: [all]
    run:
      class: Workflow
      inputs: {list: "string[]", tail: {type: string, default: of the workflow}, unused: "string?"}
      outputs: {all: {type: "string[]", outputSource: each/out}}
      steps:
        each:
          run: tools/join.cwl
          scatter: a
          in: {a: list, b: {source: tail, valueFrom: "$(self): $(inputs.a)"}, c: unused}
          out: [out]
