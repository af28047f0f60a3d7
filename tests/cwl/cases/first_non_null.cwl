cwlVersion: v1.2
class: Workflow
requirements: {MultipleInputFeatureRequirement: {}}
inputs: {one: string, two: string, three: string}
outputs:
  result: {type: string, outputSource: [one/out, two/out, three/out], pickValue: first_non_null}
  text: {type: string, outputSource: last/out}
steps:
  one: {run: tools/maybe.cwl, in: {text: one}, out: [out]}
  two: {run: tools/maybe.cwl, in: {text: two}, out: [out]}
  three: {run: tools/maybe.cwl, in: {text: three}, out: [out]}
  last:
    run: tools/join.cwl
    in: {a: {source: [one/out, two/out, three/out], pickValue: first_non_null}}
    out: [out]
