"""Invented people: lists of common given and family names in the scripts a school meets.

The lists were written for this generator; no list of real people was used. An entry is `name` or `name/ascii`,
where the second part is what user names and addresses are made from (it is worked out where the name is Latin);
`_` stands for a space inside a name. No name may hold a comma, a quote or a line break: rows are joined unquoted.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from random import Random

FEMALE, MALE = 0, 1

Name = tuple[str, str]
"""A name as it is written, and its plain ASCII form for user names."""

_NO_DECOMPOSITION = str.maketrans(
    {
        "ł": "l",
        "Ł": "L",
        "ø": "o",
        "Ø": "O",
        "đ": "d",
        "Đ": "D",
        "ı": "i",
        "ß": "ss",
        "æ": "ae",
        "Æ": "AE",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "œ": "oe",
    }
)


def plain(name: str) -> str:
    """The lower-case ASCII letters of a Latin name: `Siân` gives `sian`, `O'Brien` gives `obrien`."""
    folded = unicodedata.normalize("NFKD", name.translate(_NO_DECOMPOSITION))
    return "".join(letter for letter in folded.lower() if "a" <= letter <= "z")


def _names(text: str) -> tuple[Name, ...]:
    found = []
    for entry in text.split():
        written, _, ascii_form = entry.partition("/")
        written = written.replace("_", " ")
        found.append((written, ascii_form or plain(written)))
    return tuple(found)


@dataclass(frozen=True)
class Culture:
    """Names that go together. `weight` is how many families in a thousand take them."""

    name: str
    weight: int
    girls: tuple[Name, ...]
    boys: tuple[Name, ...]
    families: tuple[Name, ...]


CULTURES: tuple[Culture, ...] = (
    Culture(
        "british",
        560,
        _names("""
        Ada Alice Amber Amelia Amy Anna Annabel Ava Beatrice Bella Beth Bonnie Caitlin Charlotte Chloe
        Clara Daisy Darcey Edith Eleanor Eliza Ella Elsie Emily Emma Erin Esme Eva Evelyn Evie Faith
        Flora Florence Freya Georgia Grace Hannah Harriet Hattie Heidi Holly Imogen Iris Isabel Isla Ivy
        Jasmine Jessica Josephine Katie Lara Lily Lola Lottie Lucy Mabel Maisie Margot Martha Matilda
        Maya Millie Molly Nancy Nell Niamh/niamh Olive Olivia Orla Penny Phoebe Poppy Robyn Rose Rosie
        Ruby Sadie Sarah Scarlett Sienna Sophie Summer Tabitha Thea Tilly Violet Willow Winnie Zara Zoe
        Anne-Marie Mary-Kate
    """),
        _names("""
        Aaron Adam Albert Alexander Alfie Archie Arlo Arthur Ben Billy Bobby Caleb Callum Cameron
        Charlie Connor Daniel David Dexter Dylan Edward Elijah Elliot Ethan Euan Felix Finlay Francis
        Freddie Gabriel George Harrison Harry Harvey Henry Hugo Isaac Jack Jacob Jake James Jenson Joe
        Joel John Joseph Joshua Jude Kit Leo Lewis Liam Logan Louis Luca Lucas Luke Max Michael Miles
        Morgan Nathan Ned Noah Oliver Ollie Oscar Otis Owen Patrick Ralph Ray Reggie Reuben Riley Robert
        Robin Rory Rowan Rupert Ryan Samuel Sebastian Sonny Stanley Ted Theo Thomas Toby Tommy Victor
        Wilfred William Zachary Billy-Joe
    """),
        _names("""
        Adams Akehurst Allen Appleby Archer Armitage Ashworth Atkins Bailey Baker Barlow Barnes Bennett
        Birch Blackwood Booth Bradshaw Bramley Brook Brown Burgess Butler Campbell Carter Chapman Clarke
        Coates Cole Cooper Cox Crawford Croft Dalton Davies Dawson Dean Dixon Drake Ellis Evans Farrow
        Fisher Fletcher Forster Foster Fox Garner Gibbs Gilbert Graham Grant Gray Green Hale Hall
        Harding Harper Harris Hartley Hawkins Heath Hewitt Hill Holt Hood Howell Hughes Hunt Ingram
        Jackson Jennings Johnson Jones Kemp King Knight Lamb Lane Law Lawson Lee Lloyd Lowe Marsh Martin
        Mason Mills Moore Morris Nash Newman Nicholls North Oakley Osborne Palmer Parker Payne Pearce
        Perry Pike Poole Porter Pratt Price Quick Reed Reeves Rhodes Richards Roberts Rowe Savage Sawyer
        Sharp Shaw Slater Smith Sparrow Spence Stone Sutton Swann Taylor Thorne Turner Underwood Vance
        Wade Walker Ward Watts Webb Wells West Wheeler White Wilde Wood Woodhouse Wright Yates Young
        Barker-Lowe Ellis-Grant Hart-Davey Moss-Whitfield
    """),
    ),
    Culture(
        "celtic",
        80,
        _names("""
        Aoife Ailsa Angharad Branwen Bríd Catrin Ceri Ciara Éabha Eilidh Fflur Gráinne Gwenllïan
        Iseabail Lowri Mairi Mared Méabh Nia Oonagh Róisín Saoirse Siân Sinéad Siobhán Sorcha Tegan Úna
    """),
        _names("""
        Aled Aodhán Bryn Cian Conall Dafydd Darragh Dewi Emrys Eoin Fearghas Fionn Gareth Gethin Hamish
        Iolo Lachlan Máel Oisín Osian Padraig Rhodri Rhys Ruairidh Séamus Seán Tadhg Tomos
    """),
        _names("""
        O'Brien O'Connor O'Dowd O'Keeffe O'Leary O'Neill O'Rourke O'Shea MacAulay MacInnes MacKay
        MacLeod McBride McCabe McGrath McKenna McNeil Ap_Rhys Bevan Cadwallader Gwynne Llewellyn
        Maddocks Penrose Prydderch Trevithick Tregenza Ní_Dhomhnaill Ó_Súilleabháin
    """),
    ),
    Culture(
        "south_asian",
        105,
        _names("""
        Aaliyah Aisha Amara Amina Anika Anjali Arya Ayesha Bhavna Diya Fatima Gurleen Hafsa Harpreet
        Inaya Isha Jaspreet Kavya Khadija Laila Manpreet Maryam Meera Naina Noor Nusrat Priya Rania
        Ravneet Riya Saanvi Safa Simran Sumaiya Tanvi Yasmin Zainab Zoya
    """),
        _names("""
        Aarav Abdullah Adil Ahmed Ali Amir Arjun Arun Bilal Danyal Dev Faisal Gurdeep Hamza Harjit
        Hassan Ibrahim Idris Imran Ishaan Karan Kiran Manav Mohammed Muhammad Mustafa Nikhil Omar Rahul
        Rohan Sahil Sami Tariq Usman Vihaan Vikram Yusuf Zain
    """),
        _names("""
        Ahmed Akhtar Ali Anand Aziz Bains Begum Bhatt Chaudhry Choudhury Das Desai Dhillon Farooq Gill
        Gupta Hussain Iqbal Joshi Kapoor Kaur Khan Kumar Mahmood Malik Mehta Miah Mistry Nair Patel
        Qureshi Rahman Rana Rao Reddy Sandhu Shah Sharma Siddiqui Singh Uddin Verma
    """),
    ),
    Culture(
        "african",
        60,
        _names("""
        Abena Adaeze Adjoa Akosua Amaka Ayọ̀mídé Bisola Chidinma Chiamaka Efua Ẹniọlá Folasade Halima
        Ifeoma Kẹ́hìndé Makena Nala Ngozi Nkechi Oluchi Sade Tèmítọ́pẹ́ Wanjiru Yaa Zola
    """),
        _names("""
        Adébáyọ̀ Akin Baraka Chidi Chukwuemeka Dapo Ebo Emeka Folarin Jabari Kofi Kwabena Kwame Mensah
        Mosi Nnamdi Obinna Olúwaṣeun Ọládélé Sefu Tendai Tobi Tunde Yaw Zuberi
    """),
        _names("""
        Abara Achebe Adéyẹmí Adomako Afolabi Agyeman Akande Amoako Asante Balogun Boateng Chukwu Danso
        Dlamini Eze Kamara Kariuki Mbeki Moyo Mutasa Ndlovu Nwosu Odhiambo Ogunbiyi Okafor Okonkwo Okoro
        Ọlátúnjí Onyango Osei Owusu Sesay Tembo Wekesa
    """),
    ),
    Culture(
        "european",
        110,
        _names("""
        Agnieszka Aleksandra Ana Anaïs Birgit Božena Camille Carmen Chiara Dorottya Elif Elżbieta Eszter
        Françoise Giulia Hélène Inês Ingrid Jolanta Katarzyna Kübra Lucía Małgorzata Maëlle Mária Noémie
        Ozge/ozge Réka Şeyma Sofía Søren-Marie Ștefania Þórdís Ursule Weronika Zofia Žaneta Živilė
    """),
        _names("""
        Adrián André Bartłomiej Björn Çağlar Cristóbal Emre Étienne Grzegorz Günther Håkon Iñaki Jędrzej
        João José-Luis Jürgen Kacper Krzysztof László Łukasz Mateusz Miloš Nicolò Ömer Paweł Raúl René
        Sándor Şahin Søren Ștefan Tomáš Vítor Wojciech Zdeněk Zoltán Žygimantas
    """),
        _names("""
        Álvarez Andersson Bălănescu Beaumont Bączek Castaño Çelik Conceição D'Angelo De_la_Cruz Dąbek
        Dvořák Eğilmez Fernández Gálvez Gonçalves Gutiérrez Horváth Ibáñez Jónsdóttir Kądziela Kovács
        Kowalczyk Lefèvre Løvås Łuczak Magalhães Müller Nagy Novák Núñez Öztürk Pârvulescu Peña Popescu
        Řezníček Rodríguez Sæther Şimşek Sørensen Święch Szabó Török Țiriac Urbonas Van_den_Berg
        Von_Hagen Wójcik Yıldız Žukauskas
    """),
    ),
    Culture(
        "vietnamese",
        10,
        _names("""
        Ánh Bích Diệu Hương Lan Linh Mỹ Ngọc Phương Thảo Thủy Trâm Tuyết Vân
    """),
        _names("""
        Bảo Cường Dũng Đức Hải Hiếu Hùng Khánh Long Minh Nam Phúc Quân Tuấn
    """),
        _names("""
        Bùi Đặng Đỗ Hồ Hoàng Huỳnh Lê Lý Ngô Nguyễn Phạm Phan Trần Võ Vũ
    """),
    ),
    Culture(
        "arabic",
        15,
        _names("""
        آية/aya أمل/amal إسراء/israa جميلة/jamila دانا/dana رنا/rana ريم/reem زينب/zaynab سلمى/salma
        سمر/samar شهد/shahd فاطمة/fatima ليلى/layla مريم/maryam منى/muna نور/nour هبة/hiba ياسمين/yasmin
    """),
        _names("""
        أحمد/ahmad أنس/anas إبراهيم/ibrahim بلال/bilal حسن/hasan حمزة/hamza خالد/khalid رامي/rami
        زيد/zayd سامي/sami طارق/tariq عمر/umar فارس/faris كريم/karim محمد/muhammad مصطفى/mustafa
        يوسف/yusuf عبد_الرحمن/abdalrahman
    """),
        _names("""
        الأحمد/alahmad الحداد/alhaddad الخطيب/alkhatib الزين/alzein السعدي/alsaadi الشامي/alshami
        العلي/alali القاسم/alqasim المصري/almasri النجار/alnajjar بركات/barakat حمدان/hamdan
        درويش/darwish سليمان/sulayman عثمان/uthman قباني/qabbani منصور/mansour ناصر/nasir
    """),
    ),
    Culture(
        "cyrillic",
        15,
        _names("""
        Анастасия/anastasia Богдана/bohdana Валерія/valeriia Вікторія/viktoriia Дарья/darya
        Екатерина/ekaterina Зоряна/zoriana Ирина/irina Катерина/kateryna Людмила/liudmyla Марія/mariia
        Надія/nadiia Оксана/oksana Ольга/olha Полина/polina Соломія/solomiia Цветелина/tsvetelina
        Юлия/yulia
    """),
        _names("""
        Андрій/andrii Богдан/bohdan Борис/boris Василь/vasyl Георги/georgi Дмитрий/dmitry Євген/yevhen
        Иван/ivan Кирилл/kirill Максим/maksym Микола/mykola Олександр/oleksandr Павло/pavlo Роман/roman
        Сергій/serhii Тарас/taras Федор/fedor Ярослав/yaroslav
    """),
        _names("""
        Бондаренко/bondarenko Василенко/vasylenko Гончар/honchar Даниленко/danylenko Жук/zhuk
        Зінченко/zinchenko Іваненко/ivanenko Коваль/koval Кравчук/kravchuk Лисенко/lysenko
        Мельник/melnyk Назаренко/nazarenko Олійник/oliinyk Петренко/petrenko Романюк/romaniuk
        Савчук/savchuk Ткаченко/tkachenko Шевчук/shevchuk Юрченко/yurchenko Яковенко/yakovenko
    """),
    ),
    Culture(
        "greek",
        8,
        _names("""
        Αγγελική/angeliki Αθηνά/athina Αικατερίνη/aikaterini Βασιλική/vasiliki Δέσποινα/despina
        Ελένη/eleni Ζωή/zoi Ιωάννα/ioanna Μαρία/maria Νεφέλη/nefeli Σοφία/sofia Χρυσή/chrysi
    """),
        _names("""
        Αλέξανδρος/alexandros Γιώργος/giorgos Δημήτρης/dimitris Ηλίας/ilias Κώστας/kostas
        Λευτέρης/lefteris Νίκος/nikos Παύλος/pavlos Σπύρος/spyros Στέλιος/stelios Φίλιππος/filippos
        Χρήστος/christos
    """),
        _names("""
        Αλεξίου/alexiou Βασιλείου/vasileiou Γεωργίου/georgiou Δημητρίου/dimitriou Ιωάννου/ioannou
        Κωνσταντίνου/konstantinou Νικολάου/nikolaou Οικονόμου/oikonomou Παπαγεωργίου/papageorgiou
        Παπαδημητρίου/papadimitriou Στεφάνου/stefanou Χριστοδούλου/christodoulou
    """),
    ),
    Culture(
        "han",
        14,
        _names("""
        嘉怡/jiayi 美玲/meiling 佩珊/peishan 诗涵/shihan 思敏/simin 婉婷/wanting 晓雯/xiaowen
        欣妍/xinyan 雅芳/yafang 雨桐/yutong 子晴/ziqing さくら/sakura
    """),
        _names("""
        博文/bowen 俊杰/junjie 凯/kai 明/ming 天宇/tianyu 文浩/wenhao 晓东/xiaodong 一鸣/yiming
        宇航/yuhang 志强/zhiqiang 子轩/zixuan 健太/kenta
    """),
        _names("""
        陈/chen 郭/guo 何/he 黄/huang 李/li 林/lin 刘/liu 欧阳/ouyang 司马/sima 田中/tanaka 王/wang
        吴/wu 徐/xu 杨/yang 張/zhang 郑/zheng
    """),
    ),
    Culture(
        "hangul",
        6,
        _names("""
        가은/gaeun 나영/nayoung 다인/dain 민서/minseo 서연/seoyeon 수빈/subin 유진/yujin 은지/eunji
        지우/jiu 하늘/haneul
    """),
        _names("""
        건우/geonu 도윤/doyun 민준/minjun 서준/seojun 성민/seongmin 시우/siu 예준/yejun 주원/juwon
        지호/jiho 현우/hyeonu
    """),
        _names("""
        강/kang 김/kim 남궁/namgung 박/park 서/seo 송/song 윤/yoon 이/lee 임/lim 정/jung 조/cho 최/choi
        황보/hwangbo
    """),
    ),
    Culture(
        "devanagari",
        9,
        _names("""
        अंजलि/anjali आरती/aarti काव्या/kavya दीपिका/deepika नेहा/neha पूजा/pooja प्रिया/priya मीरा/meera
        रश्मि/rashmi श्रुति/shruti सुनीता/sunita स्नेहा/sneha
    """),
        _names("""
        अजय/ajay अमित/amit अर्जुन/arjun कृष्ण/krishna गौरव/gaurav दीपक/deepak मोहन/mohan राहुल/rahul
        रोहित/rohit विकास/vikas विवेक/vivek सूरज/suraj
    """),
        _names("""
        अग्रवाल/agrawal कुलकर्णी/kulkarni गुप्ता/gupta जोशी/joshi ठाकुर/thakur त्रिवेदी/trivedi
        पाटील/patil भट्ट/bhatt मिश्रा/mishra यादव/yadav वर्मा/varma शर्मा/sharma
    """),
    ),
    Culture(
        "hebrew",
        8,
        _names("""
        אביגיל/avigail אסתר/esther הדס/hadas חנה/hannah יעל/yael מיכל/michal נועה/noa עדי/adi רבקה/rivka
        רחל/rachel שירה/shira תמר/tamar
    """),
        _names("""
        אורי/uri איתן/eitan אלון/alon גיל/gil דוד/david יונתן/yonatan יוסף/yosef משה/moshe נועם/noam
        עידו/ido רועי/roi שמואל/shmuel
    """),
        _names("""
        אברהמי/avrahami בן_דוד/bendavid ברק/barak גולן/golan הלוי/halevi כהן/cohen לוי/levi
        מזרחי/mizrahi פרץ/peretz רוזן/rosen שגב/segev שפירא/shapira
    """),
    ),
)

BY_NAME = {culture.name: culture for culture in CULTURES}

POOL: tuple[Culture, ...] = tuple(culture for culture in CULTURES for _ in range(culture.weight))
"""Every culture as often as its weight, so that one draw of a random number picks one."""

LONG_GIVEN: Name = ("Maximiliana-Philippa Evangelina Wilhelmina Theodora", "maximiliana")
LONG_FAMILY: Name = ("Featherstonehaugh-Cholmondeley de Montmorency-Wollstonecraft", "featherstonehaugh")
MONONYMS: tuple[Name, ...] = _names("""
        Sukarno Wayan Lakshmi Parwati Tenzin Dolma Suharti Putu
    """)
PREFERRED: tuple[str, ...] = tuple(
    name
    for name, _ in _names("""
    Ali Ash Bea Bee Charlie Dee Eddie Ellie Frankie Izzy Jo Kat Lou Max Mo Nic Ozzie Pip Raf Robbie Sam
    Sky Tash Zee
""")
)
PRONOUNS: tuple[str, ...] = ("she/her", "he/him", "they/them", "she/they", "he/they")

PLACES: tuple[str, ...] = tuple(
    name
    for name, _ in _names("""
    Alderbrook Ashmere Beckfold Birchwater Brambledown Cloverfield Coldharbour Cranmoor Dunlow Eastmarsh
    Elmstead Fallowfield Fernhollow Gorsehill Greywell Hawksworth Hazelcroft Heronsgate Ivybank
    Kestrel_Way Larkrise Limewood Longmeadow Mallowfield Mill_Lane Nettlecombe Northgate Oakhanger
    Otterford Pebblebrook Quarry_Hill Ravensdale Redstone Rushmere Saltmarsh Silverdale Southway
    Sparrowfield Stonebridge Teasel_Park Thornbury_Cross Underhill Valley_Road Wellspring Westlake
    Whinmoor Willowbank Wrenfield Yarrow_Green Yewtree
""")
)
SAINTS: tuple[str, ...] = (
    "",
    "St Aelred's ",
    "St Bede's ",
    "St Cuthbert's ",
    "St Hilda's ",
    "Upper ",
    "Lower ",
    "Great ",
    "Little ",
    "New ",
    "Old ",
    "North ",
    "South ",
    "East ",
    "West ",
)


def draw_name(rng: Random, options: tuple[Name, ...]) -> Name:
    """One of the names."""
    return options[int(rng.random() * len(options))]


def draw_given(rng: Random, culture: Culture, sex: int) -> Name:
    """A given name of the culture for a girl (`FEMALE`) or a boy (`MALE`)."""
    return draw_name(rng, culture.boys if sex else culture.girls)


def draw_phone(rng: Random) -> str:
    """A number of the range that Ofcom keeps for fiction, below the hundred kept for changes."""
    return f"07700 900{int(rng.random() * 900):03d}"
