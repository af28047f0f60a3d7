cwlVersion: v1.2
class: Workflow
requirements:
  InlineJavascriptRequirement: {}
  ScatterFeatureRequirement: {}
  SubworkflowFeatureRequirement: {}
inputs: {texts: "string[]", sep: "string?"}
outputs:
  lengths: {type: "int[]", outputSource: measure/length}
  words: {type: string, outputSource: words/out}
  count: {type: int, outputSource: inner/count}
steps:
  measure:
    scatter: text
    in: {text: texts}
    out: [length]
    run: {class: ExpressionTool, inputs: {text: string}, outputs: {length: int}, expression: "$({length: inputs.text.length})"}
  words:
    in: {texts: texts, sep: sep}
    out: [out]
    run:
      class: ExpressionTool
      inputs:
        texts: string[]
        sep: {type: string, default: ", "}
        none: string?
      outputs: {out: string}
      expression: "${ return {'out': inputs.texts.join(inputs.sep) + (inputs.none === null) + inputs.none}; }"
  inner:
    in: {texts: texts}
    out: [count]
    run:
      class: Workflow
      inputs: {texts: "string[]"}
      outputs: {count: {type: int, outputSource: count/count}}
      steps:
        count:
          in: {list: texts}
          out: [count]
          run: tools/count.cwl
