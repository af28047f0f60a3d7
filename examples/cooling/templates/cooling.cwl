# Cools a room that is too warm, and says what was measured: the conditions and texts are JavaScript.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements:
  InlineJavascriptRequirement:
    expressionLib:
      - "function celsius(value) { return value.toFixed(1) + ' °C'; }"
  StepInputExpressionRequirement: {}

inputs:
  room: string
  readings: double[]

outputs:
  mean: {type: double, outputSource: statistics/mean}
  done: {type: "string?", outputSource: cool/done}
  report: {type: string, outputSource: report/text}

steps:
  statistics:
    in: {readings: readings}
    out: [mean]
    run:
      class: ExpressionTool
      inputs: {readings: "double[]"}
      outputs: {mean: double}
      expression: |
        ${
          const sum = inputs.readings.reduce((all, each) => all + each, 0);
          return {mean: sum / inputs.readings.length};
        }

  cool:
    when: $(inputs.temperature > 30)
    in: {room: room, temperature: statistics/mean}
    out: [done]
    run:
      class: Operation
      inputs: {room: string}
      outputs: {done: string}
      hints: {caroni:JobType: {name: cool}}

  report:
    in:
      room: room
      mean: statistics/mean
      text: {valueFrom: "$(inputs.room): $(celsius(inputs.mean)) $(inputs.mean > 30 ? 'is too warm' : 'will do')"}
    out: [text]
    run:
      class: ExpressionTool
      inputs: {text: string}
      outputs: {text: string}
      expression: $(inputs)
