cwlVersion: v1.2
class: Workflow
requirements: {StepInputExpressionRequirement: {}}
inputs:
  record: {type: {type: record, fields: {name: string, sizes: "int[]", more: "string?"}}}
  text: string
outputs:
  of_one: {type: string, outputSource: one/out}
  of_two: {type: string, outputSource: two/out}
  of_three: {type: string, outputSource: three/out}
steps:
  one:
    run: tools/join.cwl
    in:
      a: {source: text, valueFrom: " $(self)$(self) and $(inputs.b) "}
      b: {source: record, valueFrom: "$(self.sizes[1])"}
      c: {valueFrom: "  spaced  "}
    out: [out]
  two:
    run: tools/join.cwl
    in:
      a: {source: record, valueFrom: "all: $(self) $(self.more)"}
      b: {default: {x: [1]}, valueFrom: " $(self.x) "}
      c: {source: text, valueFrom: "$(null)"}
    out: [out]
  three:
    run: tools/join.cwl
    in:
      a: {source: text, valueFrom: 'escaped \$(self) \${x} \\$(self) \n $5'}
      b: {source: text, valueFrom: 'no \\ reference'}
      c: {source: record, valueFrom: $(inputs)}
    out: [out]
