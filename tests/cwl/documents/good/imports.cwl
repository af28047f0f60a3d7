cwlVersion: v1.2
class: Workflow
doc: {$include: parts/text.txt}
requirements:
  - class: StepInputExpressionRequirement
  - class: SchemaDefRequirement
    types: [{$import: parts/types.yml}]
hints: {$import: parts/hints.yml}
inputs: {greeting: string}
outputs: []
steps:
  - id: say
    run: {$import: tools/echo.cwl}
    in:
      - {id: message, source: greeting}
    out: [said]
