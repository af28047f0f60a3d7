cwlVersion: v1.0
class: Workflow
requirements: [{class: SubworkflowFeatureRequirement}]
inputs:
  - {id: words, type: "string[]"}
  - id: contents
    type: File?
    inputBinding: {loadContents: true}
outputs:
  - {id: word, type: string, outputSource: "#nested/word"}
steps:
  - id: nested
    in: [{id: words, source: "#words"}]
    out: [word]
    run:
      class: Workflow
      inputs: {words: "string[]"}
      outputs: {word: {type: string, outputSource: pick/word}}
      steps: {pick: {in: {words: words}, out: [word], run: ../tools/pick.cwl}}
