cwlVersion: v1.2
class: Workflow
inputs: {a: string}
outputs: {}
steps: {s: {in: {message: a}, uot: [said], out: [], run: ../good/tools/echo.cwl}}
