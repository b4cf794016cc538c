//! Holding a `PES_Aller` against the layout, every fault at once.

use nonrecours_kernel::{Invalid, Violation};
use nonrecours_xmlflow::{Charset, Open, Scanner, Token};

use crate::layout::{Content, Element, NAMESPACE, ROOT};
use crate::totals::Totals;

/// Most faults told of one file.
pub const MAX_VIOLATIONS: usize = 100;

/// What is wrong with a file of expenses: nothing when it follows the rules. At most [`MAX_VIOLATIONS`]; reading stops
/// where the file is no XML any more. The field of each is the path of the element, from the root, counted from 1 where
/// it is repeated: `PES_Aller/PES_DepenseAller/Bordereau[1]/Piece[2]/BlocPiece/InfoPce/IdPce`.
pub fn validate(file: &[u8]) -> Vec<Violation> {
    let mut scanner = Scanner::new(file);
    let mut walk = Walk::default();
    loop {
        match scanner.next() {
            Ok(Some(Token::Open(open))) => {
                if walk.frames.is_empty() {
                    walk.charset(scanner.charset());
                }
                walk.text(open.after_text);
                walk.open(open);
            }
            Ok(Some(Token::Close(close))) => {
                walk.text(!close.text.is_empty());
                walk.close();
            }
            Ok(None) => return walk.found,
            Err(fault) => {
                walk.found.push(fault.violation("PES_Aller"));
                return walk.found;
            }
        }
        if walk.found.len() >= MAX_VIOLATIONS {
            walk.found.truncate(MAX_VIOLATIONS);
            return walk.found;
        }
    }
}

#[derive(Default)]
struct Walk {
    frames: Vec<Frame>,
    /// Elements open inside one that has no place: passed over.
    strange: usize,
    totals: Totals,
    found: Vec<Violation>,
}

struct Frame {
    element: &'static Element,
    path: String,
    /// Which of the children came last, and how often.
    place: usize,
    times: usize,
}

impl Walk {
    fn charset(&mut self, charset: Charset) {
        if charset != Charset::Latin1 {
            self.note(
                "PES_Aller",
                "ENCODING",
                "expected the character set ISO-8859-1",
                "Le fichier doit être en ISO-8859-1.",
            );
        }
    }

    fn open(&mut self, open: Open) {
        if self.strange > 0 {
            self.strange += 1;
            return;
        }
        let Some(parent) = self.frames.last_mut() else {
            return self.root(&open);
        };
        let path = parent.path.clone();
        let children = match parent.element.content {
            Content::Group(children) => children,
            Content::Value(_) => &[],
        };
        let Some(place) = children.iter().position(|child| child.name == open.name) else {
            self.strange = 1;
            return self.note(
                &format!("{path}/{}", open.name),
                "UNEXPECTED",
                "no such element here",
                "Cet élément n'a pas sa place ici.",
            );
        };
        let element = &children[place];
        let (from, times) = (parent.place, parent.times);
        if place < from {
            self.strange = 1;
            return self.note(
                &format!("{path}/{}", open.name),
                "ORDER",
                "the element comes too late",
                "Cet élément vient trop tard : l'ordre des éléments est fixé.",
            );
        }
        if place == from && times > 0 && !element.times.repeated() {
            self.strange = 1;
            return self.note(
                &format!("{path}/{}", open.name),
                "REPEATED",
                "the element stands twice",
                "Cet élément figure deux fois.",
            );
        }
        let begins = place != from;
        if begins {
            self.missing(&path, children, from, times, place);
        }
        let nth = if begins { 1 } else { times + 1 };
        if let Some(parent) = self.frames.last_mut() {
            (parent.place, parent.times) = (place, nth);
        }
        let path = if element.times.repeated() {
            format!("{path}/{}[{nth}]", open.name)
        } else {
            format!("{path}/{}", open.name)
        };
        self.enter(element, path, open.value.as_deref());
    }

    fn root(&mut self, open: &Open) {
        if open.name != ROOT.name || open.namespace.as_deref() != Some(NAMESPACE) {
            self.note(
                "PES_Aller",
                "ROOT",
                "expected PES_Aller in its namespace",
                "L'élément racine doit être PES_Aller, dans son espace de noms.",
            );
        }
        self.enter(&ROOT, ROOT.name.to_owned(), None);
    }

    fn enter(&mut self, element: &'static Element, path: String, value: Option<&str>) {
        self.totals.open(element.name);
        if let Content::Value(format) = &element.content {
            match value {
                None => self.note(
                    &path,
                    "VALUE",
                    "the value (V) is missing",
                    "La valeur (V) de cet élément manque.",
                ),
                Some(value) => {
                    if let Err(invalid) = format.check(value) {
                        self.found.push(Violation::at(path.clone(), invalid));
                    }
                    self.totals.value(element.name, value);
                    if element.name == "IdLigne" {
                        self.found.extend(self.totals.line(&path, value));
                    }
                }
            }
        }
        self.frames.push(Frame {
            element,
            path,
            place: 0,
            times: 0,
        });
    }

    fn close(&mut self) {
        if self.strange > 0 {
            self.strange -= 1;
            return;
        }
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if let Content::Group(children) = &frame.element.content {
            let (from, times) = (frame.place, frame.times);
            self.missing(&frame.path, children, from, times, children.len());
        }
        let found = self.totals.close(frame.element.name, &frame.path);
        self.found.extend(found);
    }

    /// Text may stand in the element reached.
    fn text(&mut self, stands: bool) {
        if !stands {
            return;
        }
        let path = self
            .frames
            .last()
            .map_or_else(|| ROOT.name.to_owned(), |frame| frame.path.clone());
        self.note(
            &path,
            "TEXT",
            "values stand in V, not between tags",
            "Une valeur figure dans l'attribut V, jamais entre deux balises.",
        );
    }

    /// Notes the needed children from the place reached to before another one.
    fn missing(
        &mut self,
        path: &str,
        children: &'static [Element],
        from: usize,
        times: usize,
        to: usize,
    ) {
        let first = if times > 0 { from + 1 } else { from };
        for child in children.iter().take(to).skip(first) {
            if child.times.needed() {
                self.note(
                    &format!("{path}/{}", child.name),
                    "MISSING",
                    "the element is missing",
                    "Cet élément manque.",
                );
            }
        }
    }

    fn note(&mut self, path: &str, reason: &'static str, en: &'static str, fr: &'static str) {
        self.found
            .push(Violation::at(path, Invalid::new(reason, en, fr)));
    }
}
