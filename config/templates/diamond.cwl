# A diamond with two outputs: once `tidy` is done, `upper` and `count` run side by side, and `report` waits for both.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}

inputs:
  text: string
  title: {type: string, default: Report}

outputs:
  report: {type: string, outputSource: report/report}
  words: {type: int, outputSource: count/words}

steps:
  tidy:
    in: {text: text}
    out: [text]
    run:
      class: Operation
      inputs: {text: string}
      outputs: {text: string}
      hints: {caroni:JobType: {name: tidy}}

  upper:
    in: {message: tidy/text}
    out: [jobout]
    run:
      class: Operation
      inputs: {message: string}
      outputs: {jobout: string}
      hints: {caroni:JobType: {name: foojob0}}

  count:
    in: {text: tidy/text}
    out: [words]
    run:
      class: Operation
      inputs: {text: string}
      outputs: {words: int, letters: int}
      hints: {caroni:JobType: {name: count}}

  report:
    in:
      title: title
      text: upper/jobout
      words: count/words
    out: [report]
    run:
      class: Operation
      inputs: {title: string, text: string, words: int}
      outputs: {report: string}
      hints: {caroni:JobType: {name: report}}
