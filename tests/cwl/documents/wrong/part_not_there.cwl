cwlVersion: v1.2
class: Workflow
inputs: {a: string}
outputs: {}
steps: {s: {in: {message: a}, out: [], run: "../good/graph.cwl#nobody"}}
