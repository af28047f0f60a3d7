cwlVersion: v1.2
class: ExpressionTool
requirements: {InlineJavascriptRequirement: {}}
inputs:
  words: {type: "string[]"}
  at: {type: int, default: 0}
outputs:
  word: string
expression: |
  ${ return {word: inputs.words[inputs.at]}; }
