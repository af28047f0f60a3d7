cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {left: "string[]", right: "string[]"}
outputs:
  some: {type: "string[]", outputSource: [l/out, r/out], linkMerge: merge_flattened, pickValue: all_non_null}
  first: {type: string, outputSource: [l/out, r/out], linkMerge: merge_flattened, pickValue: first_non_null}
steps:
  l: {run: tools/maybe.cwl, scatter: text, in: {text: left}, out: [out]}
  r: {run: tools/maybe.cwl, scatter: text, in: {text: right}, out: [out]}
