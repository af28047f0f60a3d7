cwlVersion: v1.2
class: Workflow
inputs:
  record: {type: {type: record, fields: {name: string, sizes: "int[]", more: "string?"}}}
  colour: {type: {type: enum, symbols: [red, green]}}
  big: long
  real: double
  flag: boolean
  any: Any
  either: [int, string]
  table: {type: {type: array, items: {type: array, items: int}}}
outputs:
  same: {type: {type: record, fields: {name: string, sizes: "int[]", more: "string?"}}, outputSource: record}
  of_one: {type: string, outputSource: one/out}
  of_two: {type: string, outputSource: two/out}
  size: {type: int, outputSource: measure/size}
  even: {type: boolean, outputSource: measure/even}
  fact: {type: {type: record, fields: {text: string, sizes: "int[]"}}, outputSource: measure/fact}
steps:
  one: {run: tools/join.cwl, in: {a: record, b: colour, c: big}, out: [out]}
  two: {run: tools/join.cwl, in: {a: real, b: flag, c: three/out}, out: [out]}
  three: {run: tools/join.cwl, in: {a: any, b: either, c: table}, out: [out]}
  measure: {run: tools/measure.cwl, in: {text: one/out}, out: [size, even, fact]}
