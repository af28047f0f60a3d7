cwlVersion: v1.2
class: Workflow
requirements:
  SchemaDefRequirement:
    types:
      - {name: mood, type: enum, symbols: [calm, wild]}
      - $import: parts/types.yml
inputs:
  sea: mood
  things: {type: {type: array, items: parts/types.yml#thing}}
  colour: [parts/types.yml#colour, "null"]
  pair: {type: {type: record, fields: {a: int, b: {type: "string?", doc: perhaps}}}}
  word: {type: {type: enum, symbols: [a, b]}}
outputs: {same: {type: mood, outputSource: sea}}
steps: {}
