cwlVersion: v1.1
class: CommandLineTool
requirements:
  NetworkAccess: {networkAccess: true}
  WorkReuse: {enableReuse: false}
  ToolTimeLimit: {timelimit: 60}
  LoadListingRequirement: {loadListing: shallow_listing}
  InitialWorkDirRequirement:
    listing:
      - $(inputs.texts)
      - {entryname: script.sh, entry: "wc -l", writable: true}
  EnvVarRequirement: {envDef: {LC_ALL: C}}
  InplaceUpdateRequirement: {inplaceUpdate: false}
inputs:
  texts:
    type: File[]
    secondaryFiles: [{pattern: ^.bai, required: false}, .fai]
    streamable: true
    format: http://edamontology.org/format_2330
    inputBinding: {position: 1, itemSeparator: ","}
  folder: {type: Directory?, loadListing: deep_listing}
  given: {type: stdin}
outputs:
  counted: {type: int, outputBinding: {glob: out, loadContents: true, outputEval: "$(self[0].contents)"}}
  errors: stderr
baseCommand: wc
permanentFailCodes: [1]
temporaryFailCodes: [75]
