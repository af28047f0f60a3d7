cwlVersion: v1.2
class: Workflow
requirements: {MultipleInputFeatureRequirement: {}}
inputs: {text: string, is_left: boolean, is_right: boolean}
outputs: {result: {type: string, outputSource: [left/out, right/out], pickValue: the_only_non_null}}
steps:
  left: {run: tools/fussy.cwl, when: $(inputs.go), in: {text: text, go: is_left}, out: [out]}
  right: {run: tools/join.cwl, when: $(inputs.go), in: {a: text, go: is_right}, out: [out]}
