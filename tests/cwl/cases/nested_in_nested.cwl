cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}}
inputs: {lists: {type: {type: array, items: {type: array, items: string}}}}
outputs: {all: {type: {type: array, items: {type: array, items: string}}, outputSource: each/all}}
steps:
  each: {run: nested_scatter.cwl, scatter: texts, in: {texts: lists}, out: [all]}
