import "pe"
/* rule Commented { condition: true } */
private rule Helper { condition: uint16(0) == 0x5A4D } // a remark with { in it

rule Exercise_Loader : loader exercise
{
    meta:
        author = "someone@team.example"
        reference = "https://blog.team.example/loader"
        date = "2025-01-06"
        hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    strings:
        $brace = "text with } and // inside"
        $hex = { 4D 5A [2-4] ( 90 | 91 ) }
        $pattern = /c2\.exercise-loader\.example\/[a-z]{2,5}\}/
        $address = "c2.exercise-loader.example"
    condition:
        Helper and any of them
}
