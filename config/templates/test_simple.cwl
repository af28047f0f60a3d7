# Three steps in a row. With the message "caronirocks" the result is "prepended CARONIROCKSappend".
# The file's name is the template's: test_simple. Each `run` names a job type; the agents say what that does.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}

inputs:
  message: string

outputs:
  result: {type: string, outputSource: append/jobout}

steps:
  upper:
    in: {message: message}
    out: [jobout]
    run:
      class: Operation
      inputs: {message: string}
      outputs: {jobout: string}
      hints: {caroni:JobType: {name: foojob0}}

  prepend:
    in: {message: upper/jobout}
    out: [jobout]
    run:
      class: Operation
      inputs: {message: string}
      outputs: {jobout: string}
      hints: {caroni:JobType: {name: foojob1}}

  append:
    in: {message: prepend/jobout}
    out: [jobout]
    run:
      class: Operation
      inputs: {message: string}
      outputs: {jobout: string}
      hints: {caroni:JobType: {name: foojob2}}
