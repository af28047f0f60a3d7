cwlVersion: v1.2
class: CommandLineTool
$namespaces: {caroni: "urn:caroni:cwl#"}
hints: {caroni:JobType: {name: split}}
baseCommand: [work.py, split]
arguments: [inputs=$(inputs)]
inputs: {text: string}
outputs: {out: "string[]"}
