cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {one: string, list: "string[]"}
outputs: {all: {type: "string[]", outputSource: s/out}}
steps:
  first: {run: tools/fussy.cwl, in: {text: one}, out: [out]}
  s: {run: tools/join.cwl, scatter: a, in: {a: {source: [first/out, list], linkMerge: merge_flattened}}, out: [out]}
