cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {one: string, texts: "string[]"}
outputs: {all: {type: "string[]", outputSource: inner/result}, same: {type: "string[]", outputSource: inner/same}}
steps:
  first: {run: tools/fussy.cwl, in: {text: one}, out: [out]}
  more: {run: tools/fussy.cwl, scatter: text, in: {text: texts}, out: [out]}
  inner:
    run: chain.cwl
    scatter: [text]
    in: {text: {source: [first/out, more/out, one], linkMerge: merge_flattened}}
    out: [same, result]
