//! Validates a document against a schema of ISO 20022, as far as these schemas go: sequences and choices of elements, simple
//! types with facets, text with attributes, and anything in supplementary data. What a schema uses beyond that stops the test.

use std::collections::HashMap;

use quick_xml::{Reader, events::Event};
use regex::Regex;

/// An element of a document.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
    pub text: String,
}

/// Reads a document as a tree; names without prefixes.
pub fn parse(xml: &str) -> Node {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Node::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(node(&start)),
            Event::Empty(start) => {
                let node = node(&start);
                open.last_mut().unwrap().children.push(node);
            }
            Event::End(_) => {
                let node = open.pop().unwrap();
                open.last_mut().unwrap().children.push(node);
            }
            Event::Text(text) => {
                let text = std::str::from_utf8(&text).unwrap().to_owned();
                open.last_mut().unwrap().text.push_str(&text);
            }
            // One character, whichever.
            Event::GeneralRef(_) => open.last_mut().unwrap().text.push('\''),
            Event::Eof => return open.remove(0).children.remove(0),
            _ => {}
        }
    }
}

fn node(start: &quick_xml::events::BytesStart<'_>) -> Node {
    let text = |raw: &[u8]| std::str::from_utf8(raw).unwrap().to_owned();
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        (text(attribute.key.as_ref()), text(&attribute.value))
    });
    Node {
        name: text(start.name().local_name().as_ref()),
        attributes: attributes.collect(),
        ..Node::default()
    }
}

impl Node {
    fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn bound(&self, name: &str) -> usize {
        match self.attribute(name) {
            None => 1,
            Some("unbounded") => usize::MAX,
            Some(number) => number.parse().unwrap(),
        }
    }
}

/// A schema.
pub struct Schema {
    namespace: String,
    root: Node,
    types: HashMap<String, Node>,
}

impl Schema {
    pub fn read(xsd: &str) -> Self {
        let schema = parse(xsd);
        assert_eq!(schema.name, "schema");
        let named = |node: &Node| Some((node.attribute("name")?.to_owned(), node.clone()));
        let is_type = |node: &&Node| node.name != "element";
        Self {
            namespace: schema.attribute("targetNamespace").unwrap().to_owned(),
            types: schema
                .children
                .iter()
                .filter(is_type)
                .filter_map(named)
                .collect(),
            root: schema
                .children
                .iter()
                .find(|node| node.name == "element")
                .unwrap()
                .clone(),
        }
    }

    /// Every fault of a document.
    pub fn faults(&self, xml: &str) -> Vec<String> {
        let document = parse(xml);
        let mut faults = Vec::new();
        if document.attribute("xmlns") != Some(&self.namespace) {
            faults.push("namespace".to_owned());
        }
        if Some(document.name.as_str()) != self.root.attribute("name") {
            faults.push(format!("root {}", document.name));
        }
        self.element(&self.root, &document, &document.name, &mut faults);
        faults
    }

    fn element(&self, declared: &Node, given: &Node, path: &str, faults: &mut Vec<String>) {
        let kind = declared.attribute("type").unwrap();
        let Some(kind) = self.types.get(kind) else {
            return built_in(kind, given.text.trim(), path, faults);
        };
        if kind.name == "simpleType" {
            if !given.children.is_empty() {
                faults.push(format!("{path}: elements in a value"));
            }
            return self.simple(kind, given.text.trim(), path, faults);
        }
        let [content] = kind.children.as_slice() else {
            panic!("{path}: a type of another shape");
        };
        match content.name.as_str() {
            "simpleContent" => self.with_attributes(content, given, path, faults),
            "sequence" | "choice" => {
                if !given.text.trim().is_empty() {
                    faults.push(format!("{path}: text among elements"));
                }
                self.children(content, given, path, faults);
            }
            other => panic!("{path}: {other} is not understood"),
        }
    }

    fn children(&self, content: &Node, given: &Node, path: &str, faults: &mut Vec<String>) {
        let mut left = given.children.as_slice();
        let mut chosen = 0;
        for declared in &content.children {
            if declared.name == "any" {
                left = &[];
                continue;
            }
            assert_eq!(declared.name, "element", "{path}");
            let name = declared.attribute("name").unwrap();
            let count = left.iter().take_while(|child| child.name == name).count();
            for child in &left[..count] {
                self.element(declared, child, &format!("{path}/{name}"), faults);
            }
            left = &left[count..];
            chosen += usize::from(count > 0);
            let (least, most) = (declared.bound("minOccurs"), declared.bound("maxOccurs"));
            let least = if content.name == "choice" { 0 } else { least };
            if count < least || count > most {
                faults.push(format!("{path}/{name}: {count} times"));
            }
        }
        if let Some(extra) = left.first() {
            faults.push(format!("{path}/{}: not expected here", extra.name));
        }
        let optional = content.attribute("minOccurs") == Some("0");
        if content.name == "choice" && chosen != 1 && !optional {
            faults.push(format!("{path}: {chosen} of a choice"));
        }
    }

    fn with_attributes(&self, content: &Node, given: &Node, path: &str, faults: &mut Vec<String>) {
        let extension = &content.children[0];
        let base = self
            .types
            .get(extension.attribute("base").unwrap())
            .unwrap();
        self.simple(base, given.text.trim(), path, faults);
        for attribute in &extension.children {
            let name = attribute.attribute("name").unwrap();
            match given.attribute(name) {
                None => faults.push(format!("{path}: no {name}")),
                Some(value) => {
                    let kind = self
                        .types
                        .get(attribute.attribute("type").unwrap())
                        .unwrap();
                    self.simple(kind, value, &format!("{path}/@{name}"), faults);
                }
            }
        }
    }

    fn simple(&self, kind: &Node, value: &str, path: &str, faults: &mut Vec<String>) {
        let restriction = &kind.children[0];
        let base = restriction.attribute("base").unwrap();
        built_in(base, value, path, faults);
        let mut enumerated = None;
        for facet in &restriction.children {
            let bound = facet.attribute("value").unwrap();
            let number = || bound.parse::<usize>().unwrap();
            let digits = || value.bytes().filter(u8::is_ascii_digit).count();
            let decimals = value
                .split_once('.')
                .map_or(0, |(_, decimals)| decimals.len());
            let kept = match facet.name.as_str() {
                "minLength" => value.chars().count() >= number(),
                "maxLength" => value.chars().count() <= number(),
                "pattern" => Regex::new(&format!("^(?:{bound})$"))
                    .unwrap()
                    .is_match(value),
                "fractionDigits" => decimals <= number(),
                "totalDigits" => digits() <= number(),
                "minInclusive" => bound == "0" && !value.starts_with('-'),
                "enumeration" => {
                    enumerated = Some(enumerated == Some(true) || bound == value);
                    true
                }
                other => panic!("{path}: {other} is not understood"),
            };
            if !kept {
                faults.push(format!("{path}: {value:?} breaks {} {bound}", facet.name));
            }
        }
        if enumerated == Some(false) {
            faults.push(format!("{path}: {value:?} is none of the codes"));
        }
    }
}

fn built_in(kind: &str, value: &str, path: &str, faults: &mut Vec<String>) {
    let pattern = match kind {
        "xs:string" => return,
        "xs:decimal" => r"^[+-]?[0-9]+(\.[0-9]+)?$",
        "xs:date" => r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?$",
        "xs:dateTime" => {
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?$"
        }
        "xs:boolean" => "^(true|false|0|1)$",
        other => panic!("{path}: {other} is not understood"),
    };
    if !Regex::new(pattern).unwrap().is_match(value) {
        faults.push(format!("{path}: {value:?} is no {kind}"));
    }
}
