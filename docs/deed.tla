-------------------------------- MODULE deed --------------------------------
(* Who may run a VM, when hosts crash, steps repeat and come late, people     *)
(* have a shell, and the orchestrator forgets, rewinds or lies.               *)
(*                                                                            *)
(* docs/deed.md is the text to it: the record, the steps, the fence. Here is  *)
(* what can happen, as few lines as say it. One action is one transaction of  *)
(* a host's database (deed/deeds.ts has a method of nearly the same name), a  *)
(* look at the world before it, or one thing that happens in the world, which *)
(* never asks the database. Any action may come at any moment, with any       *)
(* statement that was ever signed: a crash is an action that never came, a    *)
(* replay is one that comes again.                                            *)
(*                                                                            *)
(* The content of a disk is a number: how many of the guest's writes are in   *)
(* it. Every guard that stands in Needs can be taken out by its name:         *)
(* infra/model/sabotages.ts says what then breaks, and `npm run model`        *)
(* sees that it does. A condition that stands in Follows the code has too,    *)
(* though the ones before it imply it. The others say what a step is about,   *)
(* are the world's, or keep steps apart that would change nothing; of those   *)
(* that are none of this a comment says why nothing hangs on them.            *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Host, First,         \* the hosts; the one that has the VM before Sealift does
  MaxToken, MaxWrite,  \* bounds, the only ones
  Features,            \* what this check looks at besides moves, see below
  Out                  \* guards that are taken out

(* "adopt"      nobody has a record yet: the VM has to be adopted first       *)
(* "copies"     ... and every host has files of that uuid, from before        *)
(* "passedOver" ... and who adopts passes all the other hosts over            *)
(* "byHand"     a person takes a fence off while its run is still open        *)
(* "shared"     the disk is one LUN that all hosts reach; no bytes cross      *)
(* "live"       (with "shared") the memory crosses; domains can be paused     *)
(* "failover"   an operator may claim that hosts are gone for good            *)
(* "onward"     (with "failover") ... and the VM goes further after that      *)
(* "unfenced"   (with "shared") fences are not put on: only the reservation   *)
Has(feature) == feature \in Features
Needs(guard, condition) == guard \in Out \/ condition
Follows(condition) == IF Out = {} THEN Assert(condition, "it does not follow") ELSE condition

VARIABLES db, dom0, reserved, said
vars == <<db, dom0, reserved, said>>

Nobody == "nobody"
None   == MaxWrite + 1          \* no content at all: nothing read, no disk there
Cold   == MaxWrite + 2          \* the root of a shared disk: none of its bytes cross
Claimed == MaxToken + 1         \* a claim's token; a host that has not seen it stays below

(* db[h], the record that h keeps of the VM, with what else its transactions  *)
(* need of the runs:                                                          *)
(*   token  the newest token that h has signed, promised or accepted          *)
(*   state  "none" | "holder" | "receiving" | "ceded"                         *)
(*   run    token of the run open here as source; token+1 on its way back; 0  *)
(*   peer   the host that it was received from, or ceded to                   *)
(*   seen   the root that the source read itself, under this run and fence    *)
(*   noted  the run for which the fence was noted as proven                   *)
(*   made   the run whose READY was signed                                    *)
(*   freed  the copy was given free for removal; a landing takes no more      *)
(* dom0[h], the world there:                                                  *)
(*   fenced the storage refuses writers, nothing there starts the VM; also    *)
(*          where nothing of the VM is                                        *)
(*   unfencing a command that takes the fence off, its worker perhaps dead    *)
(*   proven the run for which a step has proven the fence, before it does     *)
(*          what it proved it for; 0: no step has, or its process died        *)
(*   opener somebody (xl of ours, xendomains, a person) is past the storage   *)
(*          check and will start a domain                                     *)
(*   dom    "none" | "paused" | "running"                                     *)
(*   mem    how many of the guest's writes its memory knows of ("live")       *)
(*   disk   content of the copy that h runs, ceded or lands; None: not there  *)
(* reserved: the host that has the LUN's reservation ("shared")               *)
(* said: everything that was ever signed                                      *)

NoRecord == [token |-> 0, state |-> "none", run |-> 0, peer |-> Nobody, seen |-> None, noted |-> 0,
             made |-> 0, freed |-> FALSE]
Adopted  == [NoRecord EXCEPT !.token = 1, !.state = "holder"]
Init ==
  /\ db = [h \in Host |-> IF h = First /\ ~Has("adopt") THEN Adopted ELSE NoRecord]
  /\ dom0 = [h \in Host |->
       [fenced |-> h # First /\ ~Has("copies"), unfencing |-> FALSE, proven |-> 0, opener |-> FALSE,
        dom |-> IF h = First THEN "running" ELSE "none", mem |-> 0,
        disk |-> IF h = First \/ Has("copies") THEN 0 ELSE None]]
  /\ reserved = IF Has("shared") THEN First ELSE Nobody
  /\ said = [offers |-> {}, ready |-> {}, deeds |-> {}, settled |-> {}, claims |-> {}]

(* All statements carry the lineage that was drawn at the adoption. What the  *)
(* hosts signed about other VMs, or under another adoption of this one, may   *)
(* be anything: all of it is shown too, and nobody takes it, unless the       *)
(* lineage is not compared.                                                   *)
Foreign(form) == IF "lineage is compared" \in Out THEN form ELSE {}
Offers  == said.offers  \cup Foreign([from : Host, to : Host, token : 2..MaxToken])
Readies == said.ready   \cup Foreign([from : Host, to : Host, token : 2..MaxToken, root : 0..MaxWrite])
Deeds   == said.deeds   \cup Foreign([from : Host, to : Host, token : 2..MaxToken, root : 0..None, left : {0}])
Settled == said.settled \cup Foreign([from : Host, to : Host, token : 2..MaxToken])

---------------------------------------------------------------------------
(* Words.                                                                     *)

At(h)      == IF Has("shared") THEN First ELSE h          \* whose `disk` it is
Content(h) == dom0[At(h)].disk
Returning(h) == db[h].run = db[h].token + 1
(* What a proof of quiet finds: no domain that acts, nobody has the disk.     *)
Still(h)   == dom0[h].dom # "running" /\ ~dom0[h].opener /\ (dom0[h].dom = "paused" => Has("live"))
Stands(h)  == dom0[h].fenced /\ Still(h)
(* Nothing there that is or could become a domain.                            *)
Empty(h)   == dom0[h].fenced /\ ~dom0[h].opener /\ dom0[h].dom = "none"
(* What READY and the source's own reading are about.                         *)
Root(h)    == IF Has("live") /\ dom0[h].dom = "paused" THEN dom0[h].mem
              ELSE IF Has("shared") THEN Cold ELSE dom0[h].disk
Proven(h)  == dom0[h].proven = db[h].run
Yielded(h) == Needs("the reservation is given up first", reserved # h)
Last(h)    ==                                              \* the bound: no further token
  db[h].token \in {MaxToken, Claimed + (IF Has("onward") THEN 2 ELSE 1)}
To(h, statement) == Needs("a statement counts only where it is addressed", statement.to = h)
Record(h, record) == db' = [db EXCEPT ![h] = record]
TurnEnds(h) == dom0' = [dom0 EXCEPT ![h].proven = 0]
Say(kind, statement) == said' = [said EXCEPT ![kind] = @ \cup {statement}]

---------------------------------------------------------------------------
(* The world.                                                                 *)

GuestWrites(h) ==
  /\ dom0[h].dom = "running" /\ Content(h) < MaxWrite
  /\ Has("shared") => reserved = h                         \* the target refuses all others
  /\ dom0' = [dom0 EXCEPT ![At(h)].disk = @ + 1, ![h].mem = IF Has("live") THEN @ + 1 ELSE @]
  /\ UNCHANGED <<db, reserved, said>>
DomainEnds(h) ==
  /\ dom0[h].dom # "none" /\ dom0' = [dom0 EXCEPT ![h].dom = "none", ![h].mem = 0]
  /\ UNCHANGED <<db, reserved, said>>
SomebodyOpens(h) ==
  /\ ~dom0[h].fenced /\ dom0[h].dom = "none" /\ ~dom0[h].opener /\ Content(h) # None
  /\ dom0' = [dom0 EXCEPT ![h].opener = TRUE]
  /\ UNCHANGED <<db, reserved, said>>
OpenerEnds(h) ==
  /\ dom0[h].opener
  /\ \/ dom0' = [dom0 EXCEPT ![h].opener = FALSE]
     \/ dom0' = [dom0 EXCEPT ![h].opener = FALSE, ![h].dom = "running", ![h].mem = IF Has("live") THEN Content(h) ELSE 0]
  /\ UNCHANGED <<db, reserved, said>>
UnfenceEnds(h) ==                                          \* perhaps long after its worker died
  /\ dom0[h].unfencing
  /\ dom0' = [dom0 EXCEPT ![h].unfencing = FALSE, ![h].fenced = FALSE]
  /\ reserved' = IF Has("shared") THEN h ELSE reserved
  /\ UNCHANGED <<db, said>>
Reboots(h) ==
  /\ dom0[h].dom # "none" \/ dom0[h].opener \/ dom0[h].unfencing
  /\ dom0' = [dom0 EXCEPT ![h].dom = "none", ![h].mem = 0, ![h].opener = FALSE, ![h].unfencing = FALSE,
                          ![h].proven = 0]
  /\ UNCHANGED <<db, reserved, said>>
ProcessDies(h) ==
  /\ dom0[h].proven # 0 /\ TurnEnds(h)
  /\ UNCHANGED <<db, reserved, said>>
(* Only where the deed still is, and no step is between its proof and its     *)
(* deed: who comes there with a shell has left the protocol like one who      *)
(* comes right after. No host could tell the two apart.                       *)
ByHand(h) ==
  /\ Has("byHand") /\ dom0[h].fenced /\ db[h].state = "holder" /\ db[h].run # 0
  /\ Needs("no hand comes between proof and deed", dom0[h].proven = 0)
  /\ dom0' = [dom0 EXCEPT ![h].fenced = FALSE]
  /\ UNCHANGED <<db, reserved, said>>

---------------------------------------------------------------------------
(* Commands outside of the database.                                          *)

(* Steps on a VM's domain and storage take turns, in one process, so none     *)
(* comes between a proof and what is done by it (activities/vm-turn.ts). What *)
(* may come: steps that ask the record only, such as an abort or the open of  *)
(* another run; a domain that ends; a reboot, or the death of the process,    *)
(* which forget the proof. Nothing starts the VM: the fence stands, and a     *)
(* command that would take it off was waited for.                             *)
OwnTurn(h) == Needs("one step at a time", dom0[h].proven = 0)
(* mayUnfence and the command that it launches, under an intent.              *)
Unfence(h) ==
  /\ Needs("unfence only by the holder", db[h].state = "holder")
  /\ Needs("unfence only with no run open", db[h].run = 0)
  /\ OwnTurn(h)
  /\ dom0[h].fenced \/ (Has("shared") /\ reserved # h)
  /\ ~dom0[h].unfencing /\ Content(h) # None
  /\ dom0' = [dom0 EXCEPT ![h].unfencing = TRUE]
  /\ UNCHANGED <<db, reserved, said>>
(* An intent ends when no process of its command is there any more, orphans   *)
(* included, and each step on the VM waits for that.                          *)
Quiet(h) == Needs("an intent ends with its command", ~dom0[h].unfencing)
(* mayFence, and the fence. A fence that does not stand as it was noted is    *)
(* forgotten with the reading made under it, before it is put on again. With  *)
(* no run open it would only be in the way; that no domain is left is for the *)
(* proof to find.                                                             *)
Fence(h) ==
  /\ db[h].run # 0 /\ OwnTurn(h)
  /\ LET intact == db[h].noted = db[h].run /\ Stands(h) /\ reserved # h
     IN /\ ~intact
        /\ Record(h, [db[h] EXCEPT !.noted = 0,
             !.seen = IF "a broken fence voids the reading" \in Out THEN @ ELSE None])
  /\ dom0' = [dom0 EXCEPT ![h].fenced = @ \/ ~Has("unfenced")]
  /\ reserved' = IF reserved = h THEN Nobody ELSE reserved
  /\ UNCHANGED said
(* proveFenced, proveQuiet. What is noted, or signed, by it comes afterwards. *)
Prove(h) ==
  /\ db[h].run # 0 /\ Stands(h) /\ OwnTurn(h)
  /\ Needs("a proof waits for commands", Quiet(h))
  /\ dom0' = [dom0 EXCEPT ![h].proven = db[h].run]
  /\ UNCHANGED <<db, reserved, said>>
NoteFenced(h) ==
  /\ db[h].noted # db[h].run
  /\ Needs("a fence is proven", Proven(h)) /\ Yielded(h)
  /\ Needs("a fence waits for commands", Quiet(h))
  /\ Record(h, [db[h] EXCEPT !.noted = db[h].run])
  /\ TurnEnds(h)
  /\ UNCHANGED <<reserved, said>>

---------------------------------------------------------------------------
(* Adoption.                                                                  *)

(* Draws a new lineage. The others are asked first, and the marks looked at:  *)
(* what is found stays true, since files do not come by themselves. Whom the  *)
(* person names is passed over.                                               *)
Adopt(h) ==
  /\ Has("adopt") /\ Content(h) # None
  /\ Needs("adopt only without a record", db[h].token = 0)
  /\ Needs("adopt only without a mark", ~dom0[h].fenced)
  /\ \/ Has("passedOver")
     \/ Needs("adoption asks the others", \A o \in Host \ {h} : db[o].token = 0 /\ dom0[o].disk = None)
  /\ db[h].state # "holder"
  /\ Record(h, Adopted)
  /\ UNCHANGED <<dom0, reserved, said>>

---------------------------------------------------------------------------
(* Source.                                                                    *)

(* open, also one that supersedes the open run: its token is spent. Nobody    *)
(* receives what he has offered.                                              *)
Open(h, t) ==
  /\ t # h /\ Needs("open only by the holder", db[h].state = "holder") /\ ~Last(h)
  /\ Follows(db[h].token # 0)
  /\ LET token == db[h].token + 1
     IN /\ Record(h, [db[h] EXCEPT !.token = token, !.run = token, !.noted = 0,
                                   !.seen = IF "a new run forgets the reading" \in Out THEN @ ELSE None])
        /\ Say("offers", [from |-> h, to |-> t, token |-> token])
  /\ UNCHANGED <<dom0, reserved>>
(* noteRead. For a return nobody asks what was read.                          *)
Read(h) ==
  /\ db[h].state = "holder" /\ db[h].run = db[h].token /\ db[h].seen # Root(h)
  /\ Needs("reading is under the fence", db[h].noted = db[h].run)
  /\ Follows(Quiet(h))
  /\ Record(h, [db[h] EXCEPT !.seen = Root(h)])
  /\ UNCHANGED <<dom0, reserved, said>>
(* abort and abortReturn: the host is what it was, with no run.               *)
Abort(h) ==
  /\ Needs("abort only before the cede", db[h].run # 0)
  /\ Record(h, [db[h] EXCEPT !.run = 0, !.noted = 0,
                             !.seen = IF "an abort forgets the reading" \in Out THEN @ ELSE None,
                             !.state = IF @ = "ceded" THEN "holder" ELSE @])
  /\ UNCHANGED <<dom0, reserved, said>>
(* The point of no return, after a proof of its own.                          *)
Cede(h, r) ==
  /\ To(h, r)
  /\ Needs("cede only the open run", db[h].run = r.token)
  /\ Needs("cede proves the fence again", Proven(h)) /\ Yielded(h)
  /\ Needs("cede only what READY and the own reading agree on", db[h].seen = r.root)
  /\ Follows(db[h].seen # None /\ db[h].noted = db[h].run /\ Quiet(h))
  /\ Follows(db[h].state = "holder" /\ ~Returning(h))
  /\ Follows([from |-> h, to |-> r.from, token |-> r.token] \in Offers)
  /\ Record(h, [db[h] EXCEPT !.state = "ceded", !.run = 0, !.seen = None, !.noted = 0, !.peer = r.from])
  /\ Say("deeds", [from |-> h, to |-> r.from, token |-> r.token, root |-> r.root, left |-> Content(h)])
  /\ TurnEnds(h)
  /\ UNCHANGED reserved
MayTakeBack(h, d) ==
  /\ To(h, d)
  /\ Needs("take back only by the next token", d.token = db[h].token + 1)
  /\ Follows(db[h].state = "ceded" /\ d.from = db[h].peer)
  \* the code asks for this too; without one of the others it is what breaks
  /\ IF Out = {} THEN Assert(~db[h].freed, "it does not follow") ELSE TRUE
TakeBack(h, d) ==
  /\ MayTakeBack(h, d)
  /\ Needs("take back only with no domain left", dom0[h].dom = "none")
  /\ Record(h, [db[h] EXCEPT !.token = d.token, !.state = "holder",
                             !.peer = IF "take back forgets the peer" \in Out THEN @ ELSE Nobody])
  /\ UNCHANGED <<dom0, reserved, said>>

---------------------------------------------------------------------------
(* Destination.                                                               *)

(* receive: a landing of its own for each run. What lay here before is no     *)
(* copy that anybody could go back to, or the record would not permit it.     *)
Receive(h, o) ==
  /\ To(h, o)
  /\ Needs("receive only a newer token", o.token > db[h].token)
  /\ Needs("receive only where nothing of it is", Empty(h))
  /\ Follows(db[h].state # "holder" /\ Quiet(h))
  /\ Record(h, [db[h] EXCEPT !.token = o.token, !.state = "receiving", !.peer = o.from, !.run = 0,
                             !.seen = None, !.noted = 0, !.freed = FALSE])
  /\ dom0' = [dom0 EXCEPT ![h].disk = IF Has("shared") THEN @ ELSE None]
  /\ UNCHANGED <<reserved, said>>
(* Bytes of any moment of the source, whole or not.                           *)
Copy(h, v) ==
  /\ ~Has("shared") /\ db[h].peer # Nobody /\ Needs("copy only into a landing", db[h].state = "receiving")
  /\ Needs("a landing given free takes no more", ~db[h].freed)
  /\ Needs("no copying after READY", db[h].made # db[h].token)
  /\ Content(db[h].peer) # None /\ v <= Content(db[h].peer) /\ v # dom0[h].disk
  /\ dom0' = [dom0 EXCEPT ![h].disk = v]
  /\ UNCHANGED <<db, reserved, said>>
Ready(h, root) ==
  /\ db[h].state = "receiving" /\ db[h].made # db[h].token /\ root # None
  /\ Needs("a landing given free takes no more", ~db[h].freed)
  /\ Needs("READY tells what was read back", root = Root(h))
  /\ Record(h, [db[h] EXCEPT !.made = db[h].token])
  /\ Say("ready", [from |-> h, to |-> db[h].peer, token |-> db[h].token, root |-> root])
  /\ UNCHANGED <<dom0, reserved>>
(* On its way back it could be accepted as well: it was, then, before that.   *)
MayAccept(h, d) ==
  /\ To(h, d) /\ db[h].state = "receiving" /\ db[h].run = 0
  /\ Needs("accept only the token waited for", db[h].token = d.token)
  /\ Needs("accept only after READY", db[h].made = d.token)
  /\ Follows(db[h].peer = d.from)
Accept(h, d) ==
  /\ MayAccept(h, d)
  /\ Record(h, [db[h] EXCEPT !.state = "holder"])
  /\ UNCHANGED <<dom0, reserved, said>>

---------------------------------------------------------------------------
(* Back.                                                                      *)

MayReturn(h) ==
  /\ db[h].run = 0 /\ db[h].peer # Nobody
  /\ Needs("return only what was ceded",
       \/ \E d \in Deeds : d.to = h /\ d.token = db[h].token /\ d.from = db[h].peer
       \/ \E c \in said.claims : c.to = h /\ c.token = db[h].token)
  /\ Follows(db[h].state \in {"holder", "receiving"})
(* What came here, and from where: by a deed, or by a claim and in the place  *)
(* of the deed of what it claimed. Nothing hangs on the latter: who is        *)
(* claimed to be gone takes no word before it heeds, and then the older one   *)
(* is not of its token.                                                       *)
Arrivals(h) ==
  LET claims == {c \in said.claims : c.to = h}
      deeds == {d \in said.deeds : To(h, d) /\ d.root # None /\ ~\E c \in claims : c.against = d.from /\ c.had = d.token}
  IN {[from |-> d.from, token |-> d.token] : d \in deeds} \cup {[from |-> c.against, token |-> c.token] : c \in claims}
CameFrom(h) == IF db[h].peer # Nobody THEN {db[h].peer}
               ELSE {a.from : a \in {one \in Arrivals(h) : one.token = db[h].token}}
BeginReturn(h) ==
  /\ MayReturn(h) /\ ~Last(h)
  /\ Record(h, [db[h] EXCEPT !.run = db[h].token + 1, !.seen = None, !.noted = 0])
  /\ UNCHANGED <<dom0, reserved, said>>
(* What its guest wrote since stays behind: the operator's explicit choice.   *)
GiveBack(h, to) ==
  /\ Needs("give back only what is on its way back", Returning(h))
  /\ Needs("give back only what was fenced", db[h].noted = db[h].run)
  /\ Needs("give back proves the fence again", Proven(h) /\ dom0[h].dom = "none") /\ Yielded(h)
  /\ Follows(db[h].state \in {"holder", "receiving"} /\ Quiet(h))
  /\ Record(h, [db[h] EXCEPT !.token = @ + 1, !.state = "none", !.run = 0, !.seen = None, !.noted = 0])
  /\ Say("deeds", [from |-> h, to |-> to, token |-> db[h].token + 1, root |-> None, left |-> 0])
  /\ TurnEnds(h)
  /\ UNCHANGED reserved

---------------------------------------------------------------------------
(* The end of a hold, and what may be removed.                                *)

(* settle: the holder gives up the way back of what came here, for good.      *)
Settle(h, a) ==
  /\ \/ a.token = db[h].token /\ Needs("settle only what was accepted", db[h].state = "holder")
        /\ Needs("settle only what is not on its way back", ~Returning(h))
     \/ a.token < db[h].token /\ Needs("settle only what was not given back",
          ~\E back \in said.deeds : back.from = h /\ back.token = a.token + 1 /\ back.root = None)
  /\ [from |-> h, to |-> a.from, token |-> a.token] \notin said.settled
  /\ Say("settled", [from |-> h, to |-> a.from, token |-> a.token])
  /\ Record(h, [db[h] EXCEPT !.peer = IF a.token = db[h].token /\ "settle ends the way back" \notin Out THEN Nobody ELSE @])
  /\ UNCHANGED <<dom0, reserved>>
(* release and mayCollect. The removal may come at any time after it. Who     *)
(* waited for the VM and heeded a claim has nothing that the word is about,   *)
(* and what lies there is a landing's.                                        *)
CollectCeded(h) ==
  /\ ~db[h].freed /\ db[h].state # "none"
  /\ Needs("collect only by the holder's word",
       \E s \in Settled : To(h, s) /\ Needs("collect only what was settled", s.token = db[h].token)
                         /\ Follows(s.from = db[h].peer))
  /\ Needs("a shared disk is not collected", ~Has("shared"))
  /\ Follows(db[h].state = "ceded")
  /\ Record(h, [db[h] EXCEPT !.freed = TRUE])
  /\ UNCHANGED <<dom0, reserved, said>>
GivenUp(s, token) == db[s].run # token /\ ~\E d \in said.deeds : d.from = s /\ d.token = token
(* closeLanding and mayCollect of a landing, or of what was given back.       *)
CollectLanding(h) ==
  /\ db[h].token # 0 /\ ~db[h].freed
  /\ Needs("collect no copy that somebody could need", db[h].state \in {"receiving", "none"})
  /\ Needs("a shared disk is not collected", ~Has("shared"))
  /\ Needs("collect READY's landing only when its source gave it up",
       db[h].made = db[h].token => GivenUp(db[h].peer, db[h].token))
  /\ Record(h, [db[h] EXCEPT !.freed = TRUE,
                             !.made = IF @ = db[h].token /\ "collection forgets READY" \notin Out THEN 0 ELSE @])
  /\ UNCHANGED <<dom0, reserved, said>>

---------------------------------------------------------------------------
(* Live: the memory crosses while the disk is shared. Not in the code yet.    *)

Suspend(h) ==
  /\ Has("live") /\ dom0[h].dom = "running"
  /\ dom0' = [dom0 EXCEPT ![h].dom = "paused"]
  /\ UNCHANGED <<db, reserved, said>>
(* The domain is built at the destination from what came of the memory.       *)
Arrive(h, v) ==
  /\ Has("live") /\ db[h].state = "receiving" /\ ~db[h].freed
  /\ Needs("no copying after READY", db[h].made # db[h].token)
  /\ dom0[h].dom = "none" /\ dom0[db[h].peer].dom # "none" /\ v <= dom0[db[h].peer].mem
  /\ dom0' = [dom0 EXCEPT ![h].dom = IF "a domain arrives paused" \in Out THEN "running" ELSE "paused",
                          ![h].mem = v]
  /\ UNCHANGED <<db, reserved, said>>
(* At the destination after the accept, at the source after an abort.         *)
Unpause(h) ==
  /\ Has("live") /\ dom0[h].dom = "paused"
  /\ Needs("unpause only by the holder", db[h].state = "holder")
  /\ Needs("unpause only with no run open", db[h].run = 0)
  /\ Needs("unpause only with the reservation", reserved = h)
  /\ dom0' = [dom0 EXCEPT ![h].dom = "running"]
  /\ UNCHANGED <<db, reserved, said>>

---------------------------------------------------------------------------
(* Failover: an operator claims, by his signature, that a host is gone for    *)
(* good with the VM. A claim's token is out of reach of one that goes on      *)
(* without having heeded it.                                                  *)

WholeCopy(h) ==
  \/ db[h].state = "ceded" /\ Needs("claim only a copy that is kept", ~db[h].freed)
  \/ db[h].state = "receiving" /\ Needs("claim only a whole copy", db[h].made = db[h].token)
  \/ /\ db[h].state = "none" /\ \E d \in said.deeds : d.from = h /\ d.token = db[h].token   \* given back
     /\ Needs("claim only a copy that is kept", ~db[h].freed)
(* Who handed it to the lost host after h did may be given it back.           *)
MayComeBack(o, h, lost) == db[o].state = "ceded" /\ db[o].peer = lost /\ db[o].token > db[h].token
MayClaim(h, against) ==
  /\ Has("failover") /\ said.claims = {}                    \* the bound: one claim
  /\ against = db[h].peer /\ WholeCopy(h)
  /\ Follows(Quiet(h))
  /\ Needs("nobody else has the VM or waits for it",
       \A o \in Host \ {h, against} : db[o].state \notin {"holder", "receiving"} /\ ~MayComeBack(o, h, against))
Claim(h, against) ==
  /\ MayClaim(h, against)
  /\ Record(h, [db[h] EXCEPT !.token = Claimed, !.state = "holder", !.run = 0, !.seen = None, !.noted = 0,
                             !.peer = IF @ # Nobody /\ db[h].state = "ceded" THEN Nobody ELSE @])
  /\ Say("claims", [to |-> h, against |-> against, token |-> Claimed, had |-> db[h].token])
  /\ UNCHANGED <<dom0, reserved>>
(* By the host that was gone, before it does anything else; and by one that   *)
(* had handed the VM to it, or waited for it: others have nothing to give up. *)
(* First the right goes, then the domain, then the fence is put on.           *)
MayHeed(h, c) ==
  /\ Needs("heed only a newer claim", db[h].token < c.token)
  /\ h = c.against \/ (db[h].state \in {"ceded", "receiving"} /\ db[h].peer = c.against)
  /\ Follows(h # c.to)
Heed(h, c) ==
  /\ MayHeed(h, c)
  /\ LET had == db[h].state \in {"holder", "ceded"}
     IN Record(h, [db[h] EXCEPT !.token = c.token, !.state = IF had THEN "ceded" ELSE "none", !.made = 0, !.run = 0,
                                !.peer = IF had THEN c.to ELSE Nobody, !.seen = None, !.noted = 0])
  /\ IF "who heeds is stopped and fenced" \in Out THEN UNCHANGED dom0
     ELSE dom0' = [dom0 EXCEPT ![h].dom = "none", ![h].opener = FALSE, ![h].unfencing = FALSE, ![h].fenced = TRUE,
                               ![h].proven = 0]
  /\ UNCHANGED <<reserved, said>>
(* Claimed to be gone, and has not heeded that. The operator's word is that   *)
(* it does nothing before it heeds; if he errs, two copies can run.           *)
Gone(h) == /\ "the host is gone" \notin Out
           /\ \E c \in said.claims : c.against = h /\ db[h].token < c.token

---------------------------------------------------------------------------
World(h) ==
  \/ GuestWrites(h) \/ DomainEnds(h) \/ SomebodyOpens(h) \/ OpenerEnds(h) \/ UnfenceEnds(h) \/ Reboots(h)
  \/ ProcessDies(h) \/ ByHand(h)
Step(h) ==
  \/ World(h)
  \/ Unfence(h) \/ Fence(h) \/ Prove(h) \/ NoteFenced(h)
  \/ Adopt(h)
  \/ \E t \in Host : Open(h, t)
  \/ Read(h) \/ Abort(h)
  \/ \E r \in Readies : Cede(h, r)
  \/ \E o \in Offers : Receive(h, o)
  \/ \E v \in 0..MaxWrite : Copy(h, v) \/ Arrive(h, v)
  \/ \E root \in 0..Cold : Ready(h, root)
  \/ \E d \in Deeds : Accept(h, d) \/ TakeBack(h, d)
  \/ BeginReturn(h)
  \/ \E to \in CameFrom(h) : GiveBack(h, to)
  \/ \E a \in Arrivals(h) : Settle(h, a)
  \/ CollectCeded(h) \/ CollectLanding(h)
  \/ Suspend(h) \/ Unpause(h)
  \/ \E against \in Host : Claim(h, against)
Next == \E h \in Host : \/ ~Gone(h) /\ Step(h)
                        \/ \E c \in said.claims : Heed(h, c)
Spec == Init /\ [][Next]_vars

---------------------------------------------------------------------------
(* The promises.                                                              *)

(* Files that nobody has adopted are not Sealift's; a host that is gone has   *)
(* no domain.                                                                 *)
Known(h) == db[h].token # 0 /\ ~Gone(h)

OneRuns    == \A a, b \in Host : Known(a) /\ Known(b) /\ dom0[a].dom = "running" /\ dom0[b].dom = "running" => a = b
OneHolder  == Cardinality({h \in Host : Known(h) /\ db[h].state = "holder"}) <= 1
OnlyHolder == \A h \in Host : Known(h) /\ (dom0[h].dom = "running" \/ dom0[h].opener \/ dom0[h].unfencing \/ ~dom0[h].fenced)
                => db[h].state = "holder"
(* What was given free counts as gone.                                        *)
Kept(h) == IF \E o \in Host : db[o].freed /\ At(o) = At(h) THEN None ELSE Content(h)

(* Who has the right by a deed has at least what the source had at its cede.  *)
NothingLost == \A h \in Host : \A d \in said.deeds :
  db[h].state = "holder" /\ d.to = h /\ d.token = db[h].token /\ d.root # None =>
    Kept(h) # None /\ Kept(h) >= d.left
(* Who has the right, or can get it by a step, has a copy.                    *)
CopyKept == \A h \in Host :
  /\ db[h].state = "holder" => Kept(h) # None
  /\ \A d \in said.deeds : MayAccept(h, d) \/ MayTakeBack(h, d) => Kept(h) # None
(* What was ceded stays as it was then.                                       *)
KeptAsCeded == \A h \in Host : \A d \in said.deeds :
  db[h].state = "ceded" /\ d.from = h /\ d.token = db[h].token /\ ~Has("shared") => Content(h) = d.left
(* Somebody holds the deed, or a step that makes somebody its holder, or      *)
(* begins to, is possible.                                                    *)
NeverStranded == Has("adopt") \/ \E h \in Host :
  \/ db[h].state = "holder" \/ Returning(h) \/ MayReturn(h)
  \/ \E c \in said.claims : MayHeed(h, c)
  \/ \E d \in Deeds : MayAccept(h, d) \/ MayTakeBack(h, d)
(* Shared: who could write the LUN has the deed.                              *)
OneWriter == \A h \in Host : reserved = h /\ Known(h) => db[h].state = "holder"
(* Live: a guest's memory is as new as its disk.                              *)
MemoryFits == \A h \in Host : Has("live") /\ Known(h) /\ dom0[h].dom = "running" => dom0[h].mem = Content(h)

Others == Permutations(Host \ {First})
=============================================================================
