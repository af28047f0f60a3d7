cwlVersion: v1.2
class: Workflow
requirements: {MultipleInputFeatureRequirement: {}}
inputs: {one: string, two: "string?", list: "string[]"}
outputs:
  nested: {type: Any, outputSource: [one, list, two], linkMerge: merge_nested}
  flat: {type: Any, outputSource: [one, list, two], linkMerge: merge_flattened}
  wrapped: {type: Any, outputSource: [list], linkMerge: merge_nested}
  alone: {type: "string[]", outputSource: [list]}
  flat_picked: {type: "string[]", outputSource: [one, list, two], linkMerge: merge_flattened, pickValue: all_non_null}
  text: {type: string, outputSource: s/out}
steps:
  s:
    run: tools/join.cwl
    in:
      a: {source: [one, two]}
      b: {source: [list, list], linkMerge: merge_flattened}
      c: {source: [one], linkMerge: merge_nested}
    out: [out]
