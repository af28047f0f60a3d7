cwlVersion: v1.2
class: CommandLineTool
$namespaces: {caroni: "urn:caroni:cwl#"}
hints: {caroni:JobType: {name: fussy}}
baseCommand: [work.py, fussy]
arguments: [inputs=$(inputs)]
inputs: {text: string}
outputs: {out: string}
