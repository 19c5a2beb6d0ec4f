"""The sentences of `core.reasons`, spelt out where the collector of messages finds them; a test compares the two."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from tocsin.centre.reasons import sentence

SENTENCES = (
    gettext_noop("Only the Centre writes and issues alerts. Propose one: somebody of the Centre reads it."),
    gettext_noop("Your role does not do this with alerts. Ask who has it."),
    gettext_noop("A key neither approves nor publishes nor confirms a cancellation. A person does it at the desk."),
    gettext_noop(
        "Author, quality reviewer, legal officer and releaser are four different people, and nobody checks their own translation. Somebody else has to do this."
    ),
    gettext_noop("This cannot be done with the version as it stands. Read the page anew."),
    gettext_noop("Name the offence. An alert without one stays a draft."),
    gettext_noop(
        "An alert begins from one of these: delivery:RECEIPT, batch:NUMBER, object:NUMBER, value:VALUE, hit:NUMBER, family:COUNTRY:NAME, alert:NUMBER. Name one."
    ),
    gettext_noop("Give it a title."),
    gettext_noop("Say what is happening."),
    gettext_noop("Say until when it is valid."),
    gettext_noop("Choose an edition: for the police, for the public, or both."),
    gettext_noop("Only a prevention message goes to the public alone. Let the police have it, too."),
    gettext_noop("What names a person is for the police alone. Take the person out, or the public edition."),
    gettext_noop("No public edition of it is wanted. Change that in a draft first."),
    gettext_noop("It is under an embargo. The public reads it once that is over."),
    gettext_noop("It would be over before it is published. Give it a later end."),
    gettext_noop("It ends before it begins. Correct one of the two moments."),
    gettext_noop("The text is longer than anybody reads in a warning. Shorten it."),
    gettext_noop(
        "The text holds a character that nobody sees or that turns the writing around. Take it out at the place given."
    ),
    gettext_noop("The text holds mark-up such as <b> or &nbsp;. Readers would see it as it stands: write plain text."),
    gettext_noop(
        "Write this moment with its zone, such as 2026-11-23T10:00:00+01:00, and in a year from 1990 to 2100."
    ),
    gettext_noop("More entries stand here than anybody reads or looks through. Leave out what matters least."),
    gettext_noop("The text changed since this translation was made. Translate what is new first."),
    gettext_noop(
        "The text puts the deed down to a State or one of its organs. That is never published: write it otherwise."
    ),
    gettext_noop("It was published under a number of its type, which cannot change any more. Begin another alert."),
    gettext_noop(
        "Technical values and addresses stand in a translation exactly as in the source, in the same digits. Mend those that are named."
    ),
    gettext_noop("Choose why, or say it in each of the four languages: the public reads it there."),
    gettext_noop("Somebody decided on this proposal meanwhile. Read the page anew."),
    gettext_noop("Say why: who proposed it reads your answer."),
    gettext_noop(
        "The public would read what nobody may read there. Nothing was published in any language: look at the places named."
    ),
    gettext_noop("It is an exercise. The public never reads one."),
    gettext_noop(
        "Its texts hold more technical values than can be looked through. Put them into the list of values instead."
    ),
    gettext_noop(
        "What it rests on serves no common purpose. Split it into several alerts, or ask a source to permit one more purpose."
    ),
    gettext_noop(
        "A source has to be asked first: its label keeps this from other countries. Ask for its permission, or let it rest on less."
    ),
    gettext_noop(
        "No bureau could read it under the labels of what it rests on. Ask the sources, or let it rest on less."
    ),
    gettext_noop("It names somebody who may not have what it rests on. Name others."),
    gettext_noop("Something that it rests on is being taken back. Take out what came from there first."),
    gettext_noop("The file is empty. Send it again once it holds data."),
    gettext_noop("No known format was recognised. Choose a column map, or send one of the formats listed under Help."),
    gettext_noop("The file is larger than this installation accepts. Split it, or ask for a higher limit."),
    gettext_noop("The structure is nested more deeply than any real delivery. Flatten it and send it again."),
    gettext_noop("The file ends in the middle of a record. Send it again from the beginning."),
    gettext_noop("This is not valid JSON. Correct the text at the position given."),
    gettext_noop(
        "The text holds one half of a character alone (a surrogate such as \\ud800). Correct the text at the position given."
    ),
    gettext_noop("This is not valid XML. Correct the text at the position given."),
    gettext_noop("XML with entity declarations or external references is not accepted. Remove the DOCTYPE."),
    gettext_noop("The text could not be decoded. Send it as UTF-8."),
    gettext_noop("The archive expands beyond the limit. Send the files themselves, or smaller archives."),
    gettext_noop("A path in the archive leads outside it. Pack the files with plain relative names."),
    gettext_noop("The archive is damaged. Pack it again and send it again."),
    gettext_noop("The archive is encrypted. Send it without a password over this channel."),
    gettext_noop("The archive holds several files of this name: the first was read. Give each its own name."),
    gettext_noop("This kind of archive is not opened. Pack the files as zip or tar.gz."),
    gettext_noop("The document, or a part of it, is damaged. Save it anew and send it again."),
    gettext_noop("The document is encrypted. Send it without a password over this channel."),
    gettext_noop("Archives inside archives are opened to a depth of three only. Send the inner files."),
    gettext_noop("A line is longer than 16 MiB. Check that the file has line ends."),
    gettext_noop("Reading the file took more time or memory than is allowed. It was set aside for an administrator."),
    gettext_noop("The reader failed on this file. It was set aside, and an administrator was told."),
    gettext_noop(
        "This report type has no known meaning for its columns yet. It was set aside: an administrator maps it."
    ),
    gettext_noop(
        "The records have no known shape: only values found in the text are put up for review. Send one of the formats listed under Help, or a table whose columns can be mapped."
    ),
    gettext_noop(
        "The columns that this format requires are missing. Add them, or choose a column map that names others."
    ),
    gettext_noop(
        "This is reference data, such as a table of networks and countries, and reports nothing that was seen. Give it to an administrator."
    ),
    gettext_noop("There is no room on the disk to keep this delivery. Nothing was kept: send it again later."),
    gettext_noop("This sharing label is not known. Send one of the labels of TLP 2.0, or none."),
    gettext_noop("This is no grade of a scheme that is known. Write it as 4x4:B2, 3x5x2:1AP or Admiralty:B2."),
    gettext_noop(
        "This letter and digit mean one thing in 4x4 and another on the Admiralty scale. Name the scheme, as in 4x4:B2."
    ),
    gettext_noop(
        "The agreement does not cover this type of data: nothing of it was used. Send what was agreed on, or ask the Centre's partnership officer to widen the agreement."
    ),
    gettext_noop("No column map of this name is known. Send the name of a saved map, or none."),
    gettext_noop(
        "The agreement with this organisation has ended: nothing new is taken in. What was handed over before stays, and its receipts can be read. Ask the Centre's partnership officer for a new agreement."
    ),
    gettext_noop(
        "This goes further than what the partner signed. Name who agreed to it for the partner, and on which day."
    ),
    gettext_noop("Circulars are sent by the people of a bureau who hand over for it."),
    gettext_noop("To keep what was recalled, name the legal duty under which you keep it."),
    gettext_noop("Say why nothing was done with it: the Centre learns from that."),
    gettext_noop("Say whether it was useful, not useful, or a false positive."),
    gettext_noop("Who asked for a sealed copy cannot open it: another legal officer has to."),
    gettext_noop("Confirm too that this holds for the units that you authorised: they may have copies."),
    gettext_noop(
        "Nothing of this delivery that is still shown goes by this id or value. Check it, or recall the whole delivery."
    ),
    gettext_noop(
        "These are too many single parts of one delivery. Recall the whole delivery, and hand the rest over anew."
    ),
    gettext_noop("It is of this country already. Choose another."),
    gettext_noop("A circular went straight to those whom it names. Recall it, and send another."),
    gettext_noop("This was drawn from other deliveries: what holds for them holds for it. Change theirs."),
    gettext_noop("Nothing would change. Choose what should hold from now on."),
    gettext_noop(
        "These contradict one another: nobody is both named and left out, TLP:AMBER+STRICT and TLP:RED name their readers one by one, and there is at least one purpose."
    ),
    gettext_noop("H3 stands for a restriction of its own. Write what it is: whoever opens it reads that first."),
    gettext_noop("A restriction of its own goes with the code H3. Choose H3 too, or take the text away."),
    gettext_noop(
        "This is nobody whom you can name here. Write a country, a bureau, or an organisation that is named already."
    ),
    gettext_noop("The Centre only makes it stricter. Ask its source for more."),
    gettext_noop(
        "A value stands in rows and objects beside others that would open with it. Choose whole objects, or the whole delivery."
    ),
    gettext_noop(
        "It seems to show the data of people, and under this label many would read it. Choose a stricter label, or take those parts out first."
    ),
    gettext_noop("A vetting holds at least until today and at most for five years. Choose a day between them."),
    gettext_noop("Say why nothing had to be undone."),
    gettext_noop("This day is not possible. Choose one between today and the latest day that is shown."),
    gettext_noop(
        "No agreement with this organisation is in force at present: nothing is taken in. Keep the file, and ask the Centre's partnership officer what is missing."
    ),
    gettext_noop(
        "The access of this country is restricted: it may read, but hands nothing over and gets no new package. Keep the file, and ask the Centre."
    ),
    gettext_noop(
        "The access of this country is suspended: nothing is taken in from it, and no package is made for it. Keep the file until the Centre says otherwise."
    ),
    gettext_noop(
        "This was refused because its political side outweighs the ordinary crime in it (article 3). Nothing of it was used."
    ),
    gettext_noop(
        "This was refused because its military side outweighs the ordinary crime in it (article 3). Nothing of it was used."
    ),
    gettext_noop(
        "This was refused because its religious side outweighs the ordinary crime in it (article 3). Nothing of it was used."
    ),
    gettext_noop(
        "This was refused because its racial side outweighs the ordinary crime in it (article 3). Nothing of it was used."
    ),
    gettext_noop(
        "This was refused because using it would go against the spirit of human rights (article 2). Nothing of it was used."
    ),
    gettext_noop(
        "This was refused because the facts given do not show an ordinary crime. Send it again with facts that do."
    ),
    gettext_noop(
        "This was refused because it shows the data of people under a label that is too wide. Send it again under TLP:AMBER or stricter, or without these columns."
    ),
    gettext_noop("Its source withdrew this when it was asked about people's data in it. Nothing of it was used."),
    gettext_noop("Say in words what the image shows, for people who do not see it."),
    gettext_noop("The file is no PDF. Save the document as PDF and attach that."),
    gettext_noop(
        "The document is larger than 10 MB, or has too many parts. Save it smaller, or attach only the pages that matter."
    ),
    gettext_noop("The document has more than 60 pages. Attach only the pages that matter."),
    gettext_noop(
        "A page of the document has no text that can be looked through, as a scan has none. Attach it for the police alone, or save the document with its text."
    ),
    gettext_noop("Say what the document is: readers see these words before they open it."),
    gettext_noop("An alert has at most five documents. Take one out first."),
    gettext_noop("An alert has at most six images. Take one out first."),
    gettext_noop("This is no picture that can be published. Attach it as PNG, JPEG, WebP or GIF."),
    gettext_noop("A drawing (SVG) can carry programs and hidden texts. Save it as PNG and attach that."),
    gettext_noop("A PDF is no picture. Save the page as PNG and attach that, or attach the PDF as a document."),
    gettext_noop(
        "The picture is larger than 20 MB, or has more than 50 million pixels. Save it smaller and attach it again."
    ),
    gettext_noop("The picture is damaged, or is not what it begins like. Save it anew and attach it again."),
    gettext_noop("This is not a TAXII envelope. Send a JSON object with a list of objects."),
    gettext_noop("The record names no value to keep."),
    gettext_noop("This is not a value that can be recognised."),
    gettext_noop(
        "This is the path of a web address without a host: it concerns nobody in particular. Send it as a rule or a pattern."
    ),
    gettext_noop("This is not an internet address."),
    gettext_noop("This is not a network in CIDR notation, or it is wider than /8 (IPv4) or /16 (IPv6)."),
    gettext_noop(
        "This network is so wide that it bounds nothing. Name networks of /8 (IPv4) or /16 (IPv6) and smaller, or none."
    ),
    gettext_noop("This certificate has ended. Give one that is valid today."),
    gettext_noop("This address is private, reserved or not routable, and concerns no country."),
    gettext_noop("This is not a domain name."),
    gettext_noop("This is not a web address."),
    gettext_noop("This is not an e-mail address."),
    gettext_noop("This is not a digest of the stated kind."),
    gettext_noop("This is not a wallet address, or its check digits are wrong."),
    gettext_noop("This is not a telephone number with a country code."),
    gettext_noop("This is not an IBAN, or its check digits are wrong."),
    gettext_noop("This is not a payment card number, or its check digit is wrong."),
    gettext_noop("This is not a CVE number."),
    gettext_noop("This is not an autonomous system number."),
    gettext_noop("This kind of value is not known."),
    gettext_noop("This role is not known."),
    gettext_noop("This type of event is not in the taxonomy."),
    gettext_noop("This is not an ISO 3166 country code."),
    gettext_noop("This is not a port between 0 and 65535."),
    gettext_noop("This filter is not known, or its value is none that it can have."),
    gettext_noop("This may be said once only."),
    gettext_noop("This is not a number in the allowed range."),
    gettext_noop("This is not a date and time that can be read."),
    gettext_noop("This time lies in the future. Correct it, or say in a column map that dates begin with the day."),
    gettext_noop("This time lies before 1990."),
    gettext_noop("The value holds control characters or characters that change the direction of text."),
    gettext_noop("The value is longer than is allowed."),
    gettext_noop("The row has more or fewer cells than the header."),
    gettext_noop("The value is a placeholder or masked, not a real value."),
    gettext_noop("A required field is missing."),
    gettext_noop("A field has the wrong type."),
    gettext_noop("An object was expected here."),
    gettext_noop("The identifier is not valid."),
    gettext_noop("No analyser has this name. `tocsin lab list` names them."),
    gettext_noop("The folder has not the research data that this analyser is measured on."),
    gettext_noop("This analyser has no inputs whose labels are kept apart."),
    gettext_noop("This is no file of fitted parameters."),
    gettext_noop(
        "These parameters were fitted for another analyser or another version. Fit them anew: `tocsin lab fit`."
    ),
    gettext_noop("The pattern does not follow the STIX pattern grammar."),
    gettext_noop("The pattern is more than a plain comparison: the object is kept, no row was made from it."),
    gettext_noop("The conditions must hold together: the object is kept, no single row was made from it."),
    gettext_noop("The object holds the same key twice."),
    gettext_noop("The object breaks a rule of its standard."),
    gettext_noop("A line of the settings cannot be used as it stands."),
    gettext_noop("This sharing label is not known: the label of the agreement is used."),
    gettext_noop("The attachment is kept with the delivery and is not opened."),
    gettext_noop("Records of this kind are not used yet. The original is kept with the delivery."),
)
"""Every sentence, in the order of the table."""

__all__ = ["SENTENCES", "sentence"]
