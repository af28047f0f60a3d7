cwlVersion: v1.2
class: Workflow
inputs:
  text: {type: string, default: from the workflow}
  extra: string?
  number: {type: "int?", default: 5}
outputs:
  result: {type: string, outputSource: s/out}
  number: {type: "int?", outputSource: number}
  extra: {type: "string?", outputSource: extra}
steps:
  s:
    run: tools/join.cwl
    in: {a: text, b: {source: extra, default: {of: the step}}, c: {default: [1, null, 2.5]}}
    out: [out]
