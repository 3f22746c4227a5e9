//! Text for shells: any string as one word.

/// One word of a POSIX shell, quoted where need be.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    // An option keeps its name bare, for the reader: --output='a b'.
    if let Some((name, value)) = word.split_once('=')
        && name.strip_prefix("--").is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
    {
        return format!("{name}={}", quote_all(value));
    }
    quote_all(word)
}

fn quote_all(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command line.
pub fn command(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_has_them() {
        assert_eq!(quote("/a/b-c_1.toml"), "/a/b-c_1.toml");
        assert_eq!(quote("1-3%2"), "1-3%2");
        assert_eq!(quote("--output=/a b/%A.log"), "--output='/a b/%A.log'");
        assert_eq!(quote("metric.0.name=\"x y\""), "'metric.0.name=\"x y\"'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("~"), "'~'");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let hostile = [
            "",
            "a b",
            "it's",
            "\"",
            "$HOME",
            "`id`",
            "$(id)",
            "\\",
            "a\nb",
            "*",
            "~",
            "!x",
            "ünï/日本",
            "--x=$HOME '",
            "#",
            "-n",
            "a;b&c|d",
        ];
        let words: Vec<String> = hostile.iter().map(|&word| word.to_owned()).collect();
        for shell in ["sh", "bash"] {
            let script = format!("for word in {}; do printf '%s\\0' \"$word\"; done", command(&words));
            let output = std::process::Command::new(shell).args(["-c", &script]).output().unwrap();
            let read: Vec<String> = String::from_utf8(output.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect();
            assert_eq!(read, words);
        }
    }
}
