cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {x: "string[]", y: "string[]", z: "string[]"}
outputs:
  cube: {type: {type: array, items: {type: array, items: {type: array, items: string}}}, outputSource: s/out}
steps:
  s:
    run: tools/join.cwl
    scatter: [c, a, b]
    scatterMethod: nested_crossproduct
    in: {a: x, b: y, c: z}
    out: [out]
