cwlVersion: v1.2
class: ExpressionTool
requirements: {InlineJavascriptRequirement: {expressionLib: ["function size(list) { return list.length; }"]}}
inputs: {list: Any}
outputs: {count: int}
expression: "${ return {'count': size(inputs.list)}; }"
