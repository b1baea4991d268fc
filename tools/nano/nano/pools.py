"""Words and facts that the tasks draw from."""


def _words(text):
    return text.split()


def _pairs(text):
    """ "a-b c-d" as a dict; an underscore stands for a space."""
    return {
        k.replace("_", " "): v.replace("_", " ")
        for k, v in (pair.split("-") for pair in text.split())
    }


NAMES = _words(
    "Anna Ben Clara David Emma Finn Greta Hugo Ida Jonas Karin Leo Mira Nils Olga Paul Quinn Rosa "
    "Sam Tina Ugo Vera Will Xenia Yara Zoe Adam Bella Carl Dora Eric Fay Gil Hana Ivan Jane Kai "
    "Lena Max Nora Omar Pia Ralf Sara Tom Uma Vito Wanda Yuri Zara Alice Chen Deepa Elif Farid "
    "Grace Hiro Ines Jamal Kofi Lucia Mehmet Ngozi Anton Bruno Cora Diego Ella Felix Gina Hans "
    "Irene Julia Klaus Laura Mark Nadia Oskar Petra Robert Sofia Theo Ursula Victor"
)
CITIES = _words(
    "Boston Chicago Dallas Denver Houston Seattle Toronto Mumbai Shanghai Osaka Sydney Milan "
    "Munich Hamburg Barcelona Porto Geneva Zurich Lyon Krakow Istanbul Dubai Lagos Glasgow Leeds "
    "Bergen Malmo Basel Graz Turin Naples Venice"
)
CAPITALS = _pairs(
    "France-Paris Germany-Berlin Italy-Rome Spain-Madrid Portugal-Lisbon Norway-Oslo "
    "Sweden-Stockholm Finland-Helsinki Denmark-Copenhagen Poland-Warsaw Austria-Vienna "
    "Hungary-Budapest Greece-Athens Turkey-Ankara Egypt-Cairo Kenya-Nairobi Ghana-Accra "
    "Japan-Tokyo China-Beijing India-Delhi Thailand-Bangkok Vietnam-Hanoi Canada-Ottawa "
    "Mexico-Mexico_City Cuba-Havana Peru-Lima Chile-Santiago Brazil-Brasilia "
    "Argentina-Buenos_Aires Australia-Canberra Ireland-Dublin Iceland-Reykjavik Belgium-Brussels "
    "Switzerland-Bern Croatia-Zagreb Serbia-Belgrade Romania-Bucharest Bulgaria-Sofia "
    "Ukraine-Kyiv Russia-Moscow Iran-Tehran Iraq-Baghdad Nepal-Kathmandu England-London "
    "Scotland-Edinburgh Colombia-Bogota Venezuela-Caracas Ecuador-Quito Morocco-Rabat "
    "Tunisia-Tunis Algeria-Algiers Ethiopia-Addis_Ababa Senegal-Dakar Indonesia-Jakarta "
    "Malaysia-Kuala_Lumpur Mongolia-Ulaanbaatar Latvia-Riga Estonia-Tallinn Lithuania-Vilnius "
    "Slovenia-Ljubljana Slovakia-Bratislava Cyprus-Nicosia Malta-Valletta Luxembourg-Luxembourg "
    "Qatar-Doha Lebanon-Beirut Jordan-Amman"
)
SYMBOLS = _pairs(
    "hydrogen-H helium-He lithium-Li carbon-C nitrogen-N oxygen-O fluorine-F sodium-Na "
    "magnesium-Mg aluminium-Al silicon-Si phosphorus-P sulfur-S chlorine-Cl potassium-K "
    "calcium-Ca titanium-Ti iron-Fe nickel-Ni copper-Cu zinc-Zn silver-Ag tin-Sn gold-Au "
    "mercury-Hg lead-Pb neon-Ne argon-Ar platinum-Pt uranium-U"
)
OPPOSITES = _pairs(
    "hot-cold big-small fast-slow high-low open-closed early-late full-empty old-young light-dark "
    "hard-soft wet-dry near-far left-right up-down rich-poor strong-weak loud-quiet long-short "
    "day-night happy-sad good-bad clean-dirty thick-thin deep-shallow first-last true-false"
)
YOUNG = _pairs(
    "dog-puppy cat-kitten cow-calf horse-foal sheep-lamb goat-kid pig-piglet bear-cub "
    "duck-duckling frog-tadpole deer-fawn kangaroo-joey goose-gosling swan-cygnet"
)
SOUNDS = _pairs(
    "dog-barks cat-meows cow-moos horse-neighs sheep-bleats pig-grunts duck-quacks frog-croaks "
    "lion-roars owl-hoots wolf-howls snake-hisses"
)
LEGS = _pairs(
    "dog-four cat-four horse-four cow-four bird-two chicken-two human-two ant-six bee-six "
    "beetle-six spider-eight snake-no"
)
SIDES = _pairs(
    "triangle-three square-four rectangle-four pentagon-five hexagon-six heptagon-seven "
    "octagon-eight"
)
CURRENCIES = _pairs(
    "Japan-yen India-rupee China-yuan Russia-rouble Poland-zloty Sweden-krona Norway-krone "
    "Denmark-krone Mexico-peso Brazil-real Turkey-lira Thailand-baht Vietnam-dong England-pound "
    "Germany-euro France-euro"
)
CONTINENTS = _pairs(
    "France-Europe Germany-Europe Italy-Europe Spain-Europe Poland-Europe Norway-Europe "
    "Greece-Europe Egypt-Africa Kenya-Africa Ghana-Africa Morocco-Africa Japan-Asia China-Asia "
    "India-Asia Thailand-Asia Vietnam-Asia Nepal-Asia Canada-North_America Mexico-North_America "
    "Cuba-North_America Peru-South_America Chile-South_America Brazil-South_America "
    "Argentina-South_America"
)
PAST = _pairs(
    "go-went see-saw eat-ate take-took give-gave come-came write-wrote drink-drank sing-sang "
    "run-ran find-found buy-bought think-thought bring-brought teach-taught catch-caught fly-flew "
    "know-knew speak-spoke break-broke"
)
PLURALS = _pairs(
    "mouse-mice child-children foot-feet tooth-teeth goose-geese man-men woman-women leaf-leaves "
    "knife-knives wolf-wolves city-cities box-boxes sheep-sheep fish-fish person-people"
)
MONTH_DAYS = _pairs(
    "January-31 March-31 April-30 May-31 June-30 July-31 August-31 September-30 October-31 "
    "November-30 December-31"
)
PLANETS = _words("Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune")
ORDINALS = _words("first second third fourth fifth sixth seventh eighth")
DAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = _words(
    "January February March April May June July August September October November December"
)
COLOURS = _words("red green blue yellow purple orange black white brown pink grey silver")
ANIMALS = _words(
    "dog cat horse cow sheep goat pig duck owl fox wolf bear lion tiger zebra camel otter whale "
    "shark eagle raven snake frog mouse rabbit spider turtle panda koala moose"
)
FOODS = _words(
    "bread cheese soup pizza rice pasta salad apple pear plum cherry lemon mango banana grape "
    "melon carrot potato tomato onion garlic honey butter cake pie noodle pancake waffle olive"
)
NOUNS = _words(
    "river mountain forest garden bridge castle tower harbour village market window door table "
    "chair lamp candle mirror book letter pencil paper map clock bell drum violin piano ship boat "
    "train wagon bicycle engine wheel hammer nail rope ladder bucket basket bottle cup plate "
    "spoon knife blanket pillow coat hat glove boot ring coin key lock chest box stone sand cloud "
    "storm rain snow wind fire smoke shadow island beach desert valley meadow farm barn mill road "
    "path tunnel station airport school library museum theatre temple factory kitchen cellar roof "
    "wall fence gate lighthouse anchor compass lantern telescope rocket planet comet robot camera "
    "radio battery magnet needle thread button ribbon feather leaf root branch flower seed "
    "harvest orchard vineyard fountain statue palace dragon wizard pirate sailor farmer baker "
    "teacher doctor painter singer dancer judge guard king queen prince knight giant"
)
ADJECTIVES = _words(
    "old new quiet loud small large dark bright cold warm heavy light gentle strange happy sad "
    "tired brave clever lazy wooden golden broken empty ancient modern hidden famous narrow wide "
    "deep shallow smooth rough sweet bitter"
)
VERBS_PAST = _words(
    "found lost carried painted watched followed opened closed built repaired sold bought cleaned "
    "moved crossed described visited admired ignored remembered measured counted dropped lifted"
)
VERBS = _words(
    "build repair cook clean buy sell paint find learn grow write draw open fix feed train play "
    "choose make use"
)
ADVERBS = _words(
    "slowly quickly quietly carefully often never always yesterday today twice gladly again "
    "finally early late"
)
JOBS = _words(
    "baker teacher doctor painter pilot nurse lawyer farmer chef engineer plumber singer writer "
    "judge tailor sailor"
)
LANGUAGES = _words(
    "French German Spanish Italian Dutch Polish Greek Turkish Japanese Chinese Korean Hindi "
    "Arabic Swahili Latin"
)
#: Common words that no other pool holds: most of what people type is made of these.
COMMON = _words(
    "about above across act action add after afternoon age air all almost alone along also among "
    "and angle answer any area arm army around art ask away baby back ball band bank base be "
    "because become bed before begin behind below best better between bird bit blood board body "
    "bone both boy bring business busy call can care case catch cause center chance change cheap "
    "child choice class close code cold color come common company control cook copper corner cost "
    "could country course crowd cry cut dance danger data death decide degree design develop die "
    "differ dinner direct do dream dress drink drive each ear earth east easy eat edge egg eight "
    "either end enemy energy enough equal even event ever every exact example eye face fact fair "
    "fall family far feel few field fight figure fill final finger finish five floor fly food "
    "foot force form forward four free friend from front fruit game general get girl give glass "
    "go good govern great ground group guess hair half hand happen have head hear heart heat help "
    "here hole home hope hour house huge human hundred hunt idea ice inch instant interest iron "
    "job join jump just keep kind know lady lake land language last laugh law lead least leave "
    "leg less level lie life line list listen little live long look love machine main man many "
    "mark matter mean meat medicine meet metal method middle might mile milk million mind minute "
    "miss money month moon more morning most mother motor mouth move much music must name nation "
    "natural nature near need neighbor night noise north nose note nothing notice number object "
    "ocean office oil once only order other our oxygen page paint pair parent part party pass "
    "past pattern people perhaps period person phrase picture piece place plain plan plane plant "
    "please poem point poor power press pretty print problem process produce program protect "
    "prove pull purple push puzzle question quick race range rather reach read ready real reason "
    "record region remember repeat reply rest result return rich ride right rise rock room round "
    "rule run safe sail salt same say science score sea search season seat second sell send sense "
    "sentence serve seven shape share sharp she shoe shop shore should shoulder show side sign "
    "silent simple since sister sit six size skill skin sky sleep smell soft soldier solve some "
    "son song soon sound south space speak special speed spell spend spring square stand star "
    "start state stay steam step stick still stop story street strong student study subject such "
    "sugar summer sun support sure surface surprise swim syllable system tail talk teach team "
    "tell temperature ten term test than thank that their them there thick thing think third this "
    "thought thousand three through time tiny together tomorrow too tool top total touch town "
    "track trade travel tree triangle trip trouble truck true try turn twenty two type uncle "
    "under unit until upon usual value vary very view visit voice vowel wait walk want war wash "
    "watch water wave way wear weather week weight well west what when where which while who "
    "whole why wife wild win winter wish with woman wonder wood word work world worry worth write "
    "wrong yard year yellow yes yesterday you young your zero zone breakfast coffee computer "
    "phone internet python keyboard mouse screen button movie garden"
)
