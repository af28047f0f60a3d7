cwlVersion: v1.2
class: Workflow
requirements:
  InlineJavascriptRequirement:
    expressionLib:
      - "function twice(text) { return text + text; }"
      - "var unit = '°C';"
  StepInputExpressionRequirement: {}
inputs:
  text: string
  numbers: double[]
  record: {type: {type: record, fields: {name: string, more: "string?"}}}
outputs:
  of_one: {type: string, outputSource: one/out}
  of_two: {type: string, outputSource: two/out}
  of_three: {type: string, outputSource: three/out}
steps:
  one:
    run: tools/join.cwl
    in:
      a: {source: text, valueFrom: $(twice(self) + unit)}
      b: {source: numbers, valueFrom: "${ var sum = 0; for (var i = 0; i < self.length; i++) { sum += self[i]; } return sum; }"}
      c: {source: record, valueFrom: "$({name: self.name.toUpperCase(), keys: Object.keys(inputs).sort(), b: inputs.b})"}
    out: [out]
  two:
    run: tools/join.cwl
    in:
      a: {source: text, valueFrom: " <$(self.length)> $(self + '(\")') and $([self.length, null, 1.5]) ${ return {'b': 1, 'a': \"}\"}; } "}
      b: {source: record, valueFrom: $(self.more)}
      c: {source: record, valueFrom: $(self.none)}
    out: [out]
  three:
    run: tools/join.cwl
    in:
      a: {source: text, valueFrom: $(undefined)}
      b: {source: numbers, valueFrom: $(self.length)}
      c: {source: numbers, valueFrom: "$(self[7])"}
    out: [out]
