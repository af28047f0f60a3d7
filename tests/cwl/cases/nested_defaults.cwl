cwlVersion: v1.2
class: Workflow
requirements: {SubworkflowFeatureRequirement: {}}
inputs: {text: "string?"}
outputs: {result: {type: string, outputSource: inner/result}, number: {type: "int?", outputSource: inner/number}}
steps:
  inner: {run: defaults.cwl, in: {text: text, number: {default: 7}}, out: [result, number]}
