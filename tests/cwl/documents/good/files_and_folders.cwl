cwlVersion: v1.2
class: Workflow
$namespaces: {edam: "http://edamontology.org/", s: "https://schema.org/"}
s:author: {class: s:Person, s:name: Ishmael}
label: Files
doc: [Reads files, and counts them.]
intent: [http://edamontology.org/operation_0004]
inputs:
  one: File
  many: {type: "File[]?", secondaryFiles: [".bai?", {pattern: "^.fai", required: true}], format: edam:format_2330}
  folder: {type: Directory, loadListing: no_listing}
  image: {type: File, loadContents: true, streamable: true, label: an image, doc: shown}
  fixed: {type: File, default: {class: File, basename: x.txt, contents: "hello"}}
outputs:
  counted: {type: int, outputSource: count/counted}
  errors: {type: "File?", outputSource: count/errors, secondaryFiles: [.log], streamable: false}
steps:
  count:
    run: tools/count.cwl
    in:
      texts: {source: many, default: [], loadContents: true}
      folder: folder
      given: one
    out: [counted, errors]
